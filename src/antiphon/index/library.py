"""`Index`: the public interface to an index folder, for commands, servers and notebooks."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from antiphon.checks import check_path, wrong_type
from antiphon.errors import AntiphonError, look_up
from antiphon.index.build import BuildReport, build_index
from antiphon.index.hints import Hint, hints_for, hints_of_files
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata, Works
from antiphon.index.query import Source, kind_of
from antiphon.index.search import SearchOptions, default_modality, search
from antiphon.index.store import IndexedRecording, Store
from antiphon.index.view import Filters, IndexView
from antiphon.models.loading import load_model
from antiphon.models.protocol import Embedder
from antiphon.types import MODALITIES, Modality

Folders = str | Path | Sequence[str | Path]


class Index:
    """A library of audio and note files that can be searched.

    Open it with `Index.build` or `Index.open`, and close it with `close` or a `with` block. `len` is the number of
    recordings. One thread at a time may use it; any number of processes may have the same folder open, one of which
    may write.

    Attributes
    ----------
    folder : Path
        The index folder.
    model : Embedder
        The model of the index, loaded at first use.
    report : BuildReport or None
        The report of the last `build` or `add` of this object.

    Examples
    --------
    >>> import antiphon
    >>> one, two = antiphon.open_corpus("demo").recordings[:2]
    >>> index = antiphon.Index.build([one.notes_path, two.notes_path], "template", out="library")
    >>> len(index), index.report.embedded
    (2, 2)
    >>> best = index.search(one.audio_path, start_s=5, length_s=10, top=1)[0]
    >>> best.file == str(one.notes_path), round(best.start_s), best.confidence > 0.9
    (True, 5, True)
    >>> index.close()
    """

    def __init__(self, store: Store, model: Embedder | None = None, report: BuildReport | None = None) -> None:
        if not isinstance(store, Store):
            raise AntiphonError(
                f"{store}: an index is opened by antiphon.Index.open(folder) and built by antiphon.Index.build(folders)"
            )
        self.store = store
        self.report = report
        self._given_model = model
        self._close = weakref.finalize(self, store.close)

    @classmethod
    def build(
        cls,
        folders: Folders,
        model: str | Path | Embedder = "default",
        *,
        out: str | Path,
        only: Modality | None = None,
        works: Works | None = None,
        follow_links: bool = False,
    ) -> Index:
        """Build an index, or bring one up to date with its files.

        A build that was stopped continues. Content that the index contains already is not embedded again, even where
        its file has another name now.

        Parameters
        ----------
        folders
            Folders with audio and note files, at any depth, or single files.
        model
            See `load_model`.
        out
            The index folder, new or from an earlier build.
        only
            The modality to index; by default both.
        works
            A CSV table with the columns `file`, `work` and optionally `composer`, `title`, `split`; or `"folders"`,
            where the files of each folder perform one work. Files in a MAESTRO folder take these from its table.
        follow_links
            Follow links to folders, each folder once; links to files are always read.

        Returns
        -------
        Index
            Open; `report` lists the files that were embedded, those that failed, and how many were left out.

        Raises
        ------
        AntiphonError
            A folder is missing or contains no such files, `out` is another folder than an index, or the index was
            built with another model.
        UnreadableInput
            The table of works, or the database of the index, cannot be used.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> with antiphon.Index.build(notes, "template", out="library") as index:
        ...     index.report.embedded, index.report.failed
        (1, [])
        """
        embedder = load_model(model)
        origin = embedder.origin or embedder.name
        report = build_index(_listed(folders), embedder, origin, out, _checked(only), works, follow_links=follow_links)
        return cls(Store(out), embedder, report)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        model: str | Path | Embedder | None = None,
        roots: Mapping[str | Path, str | Path] | None = None,
    ) -> Index:
        """Open an index that was built before. Nothing is written, so read-only media will do.

        Parameters
        ----------
        folder
            The index folder.
        model
            The model that it was built with, where that is loaded already or its folder has moved.
        roots
            Folders of the library that have moved, old → new, for this opening only. `relocate` writes them down.

        Returns
        -------
        Index
            The open index.

        Raises
        ------
        AntiphonError
            The folder is no index, it was built with another model, or a root is not one of the index.
        UnreadableInput
            The database is damaged or locked.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> antiphon.Index.build(notes, "template", out="library").close()
        >>> with antiphon.Index.open("library") as index:
        ...     len(index), index.model.name
        (1, 'template')
        """
        check_path("folder", "the path of an index", folder)
        moves = {Path(old).resolve(): Path(new).resolve() for old, new in (roots or {}).items()}
        store = Store(folder, roots=moves)
        try:
            store.roots()  # raises for a root that the index does not have
            embedder = None if model is None else load_model(model)
            if embedder is not None:
                store.check_model(embedder)
        except BaseException:
            store.close()
            raise
        return cls(store, embedder)

    def add(
        self,
        folders: Folders,
        *,
        only: Modality | None = None,
        works: Works | None = None,
        follow_links: bool = False,
    ) -> BuildReport:
        """Add files to the index, and follow the changes below these folders.

        Parameters
        ----------
        folders, only, works, follow_links
            See `build`.

        Returns
        -------
        BuildReport
            Also kept as `report`.

        Raises
        ------
        AntiphonError
            As `build`.

        Examples
        --------
        >>> import antiphon
        >>> one, two = antiphon.open_corpus("demo").recordings[:2]
        >>> with antiphon.Index.build(one.notes_path, "template", out="library") as index:
        ...     index.add([one.notes_path, two.notes_path]).embedded, len(index)
        (1, 2)
        """
        recorded = self.store.meta("model")
        self.report = build_index(
            _listed(folders), self.model, recorded, self.folder, _checked(only), works, follow_links=follow_links
        )
        return self.report

    def search(
        self,
        query: Source,
        *,
        start_s: float = 0.0,
        length_s: float | None = None,
        top: int = 10,
        against: Modality | None = None,
        by_work: bool = False,
        repeats: bool = False,
        transpose: bool = False,
        composer: str = "",
        split: str = "",
        folder: str | Path | None = None,
    ) -> list[Match]:
        """Find the music of a query in the library.

        Parameters
        ----------
        query
            An audio file, a note file, a `Sound` or `Notes`.
        start_s, length_s
            The stretch of the query to search with, in seconds, 3 s or more; by default all of it.
        top
            Largest number of matches: the best of each file, and further ones where there are fewer files.
        against
            The modality to search, "audio" or "notes"; by default the other one than that of the query, or the same
            where the index contains no other.
        by_work
            Give the best match of each work and no others.
        repeats
            Give the best matches in any file, at most 40 in one.
        transpose
            Search up to 6 semitones above and below the library as well, and correct the tuning of the query.
        composer
            Search only works by this composer; a part of the name in any case.
        split
            Search only recordings of this split.
        folder
            Search only files below this folder.

        Returns
        -------
        list of Match
            In descending order of confidence. A confidence below 0.5 means that a match is more likely false than true.
            Files that were removed or moved are not found; see `missing_files`.

        Raises
        ------
        UnreadableInput
            The query cannot be read, is silent or shorter than 3 s.
        AntiphonError
            An option is out of range, or the filters leave no recording.

        Examples
        --------
        >>> import antiphon
        >>> recording = antiphon.open_corpus("demo").recordings[0]
        >>> with antiphon.Index.build(recording.notes_path, "template", out="library") as index:
        ...     notes = antiphon.read_notes(recording.notes_path)
        ...     match = index.search(notes.within(10, 20), start_s=10, top=1)[0]
        >>> round(match.start_s), round(match.tempo, 1)
        (10, 1.0)
        """
        filters = Filters(composer, split, folder)
        options = SearchOptions(top, by_work, repeats, _checked(against), filters, transpose)
        return search(query, self.store, self.model, start_s, length_s, options)

    def hints(
        self,
        query: Source,
        *,
        start_s: float = 0.0,
        length_s: float | None = None,
        against: Modality | None = None,
        transpose: bool = False,
        composer: str = "",
        split: str = "",
        folder: str | Path | None = None,
    ) -> list[Hint]:
        """Name what may help where `search` finds nothing likely.

        The query is measured: its onsets, the silence at its start, its length and, for sound, its tuning. Then follow
        the files that were not searched, those that are gone, and those that could not be indexed.

        Parameters
        ----------
        query, start_s, length_s, against, transpose, composer, split, folder
            As they were given to `search`.

        Returns
        -------
        list of Hint
            The most definite first; the text of a hint is `str(hint)`.

        Raises
        ------
        UnreadableInput, AntiphonError
            As `search`.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> with antiphon.Index.build(notes, "template", out="library") as index:
        ...     print(index.hints(antiphon.Notes.of([2.5, 3.0], [1.0, 1.0], [60, 64], [80, 80]))[0])
        2 onsets in 4.0 s of the query are too few to tell music apart
        """
        options = SearchOptions(1, False, False, _checked(against), Filters(composer, split, folder), transpose)
        libraries = {kind: self.view(kind) for kind in self.modalities()}
        searched = self.view(options.against or self.modality_to_search(query))
        found = hints_for(query, libraries, self.model, start_s, length_s, options)
        return [*found, *hints_of_files(searched, self.failures())]

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Record that a folder of the library has moved. Nothing is embedded again.

        Parameters
        ----------
        old, new
            The folder as the index knows it, and the folder where the files are now.

        Returns
        -------
        int
            The number of files that moved.

        Raises
        ------
        AntiphonError
            `new` is no folder, or the index contains no file below `old`, or contains other files below `new` already.

        Examples
        --------
        >>> import antiphon, pathlib, shutil
        >>> pathlib.Path("scores").mkdir()
        >>> _ = shutil.copy(antiphon.open_corpus("demo").recordings[0].notes_path, "scores")
        >>> with antiphon.Index.build("scores", "template", out="library") as index:
        ...     _ = pathlib.Path("scores").rename("moved")
        ...     index.relocate("scores", "moved"), index.missing_files()
        (1, [])
        """
        return self.store.relocate(old, new)

    def facts(self) -> dict[str, Any]:
        """Describe the index: model, numbers of recordings, hours, windows and works, search method, failed files.

        Returns
        -------
        dict
            The JSON of `antiphon info INDEX`. `hours` is the length of all recordings, `segments` the number of
            windows.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> with antiphon.Index.build(notes, "template", out="library") as index:
        ...     index.facts()["notes_recordings"], index.facts()["notes_neighbours"]
        (1, {'method': 'exact'})
        """
        counts = self.store.counts()
        return {
            "kind": "index",
            "model": self.store.meta("model"),
            "recordings": sum(recordings for recordings, _, _ in counts.values()),
            "hours": round(sum(hours for _, _, hours in counts.values()), 3),
            "segments": sum(windows for _, windows, _ in counts.values()),
            **{f"{kind}_recordings": recordings for kind, (recordings, _, _) in counts.items()},
            "works": self.store.count_works(),
            **{f"{kind}_neighbours": facts for kind, facts in self.store.neighbours().items()},
            "failed": self.failures(),
        }

    def missing_files(self, modality: Modality | None = None) -> list[str]:
        """List the files of one modality, or of both, that no longer exist; a search does not find them."""
        kinds = self.modalities() if modality is None else (modality,)
        return [path for kind in kinds for path in self.view(kind).missing_files()]

    def modality_to_search(self, query: Source) -> Modality:
        """The modality that `search` compares a query with by default. Raises `UnreadableInput` as `search` does."""
        return default_modality(kind_of(query), self.store.counts())

    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that the index contains."""
        return tuple(self.store.counts())

    def view(self, modality: Modality) -> IndexView:
        """All windows of one modality as they are now; other threads may search a view (`search_library`).

        Raises `AntiphonError` where the index contains none.
        """
        return self.store.library(modality)

    def recordings(self) -> list[IndexedRecording]:
        """The recordings in the order of their paths."""
        return self.store.recordings()

    def metadata(self) -> dict[str, FileMetadata]:
        """Path → composer, title, split and work, for files of which any is known."""
        return self.store.about()

    def failures(self) -> dict[str, str]:
        """Path → reason, for files that could not be indexed."""
        return {path: reason for path, (_, reason) in self.store.failed().items()}

    def content_hashes(self) -> set[str]:
        """Hashes of the content of all files in the index, as `antiphon.io.files.content_hash` computes them."""
        return {content for _, content in self.store.known().values()}

    @property
    def folder(self) -> Path:
        """The index folder."""
        return self.store.folder

    @cached_property
    def model(self) -> Embedder:
        """The model of the index. Raises `AntiphonError` where it cannot be loaded or has changed since the build."""
        if self._given_model is not None:
            return self._given_model
        model = load_model(self.store.meta("model"))
        self.store.check_model(model)
        return model

    def close(self) -> None:
        """Close the database. The object cannot be used afterwards."""
        self._close()

    def __repr__(self) -> str:
        content = f"{len(self)} recordings" if self._close.alive else "closed"
        return f"<Index {self.folder}: {content}>"

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return sum(recordings for recordings, _, _ in self.store.counts().values())


def _listed(folders: Folders) -> list[str | Path]:
    if isinstance(folders, str | Path):
        return [folders]
    if not isinstance(folders, Iterable):
        raise wrong_type("folders", "a path or a list of paths", folders)
    return list(folders)


def _checked(modality: Modality | None) -> Modality | None:
    """Raises `UnknownName` for another word."""
    return None if modality is None else look_up("modality", modality, {name: name for name in MODALITIES})
