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
from antiphon.index.hints import Hint, hints_for, hints_of_failed, hints_of_missing
from antiphon.index.match import Match
from antiphon.index.metadata import FileMetadata, Works
from antiphon.index.presence import PRESENCES, Presence
from antiphon.index.query import Source, kind_of
from antiphon.index.search import SearchOptions, default_modality, search
from antiphon.index.store import IndexedRecording, Store
from antiphon.index.upkeep import FileList, MoveReport, PruneReport, list_files, move_files, prune_files
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
            Folders of the library that have moved, old → new, for this opening only. `move` writes them down.

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
            Note files that are gone are found by the notes in the index, `gone` is True; audio files that are gone are
            not found, see `missing_hints`.

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
        searched = options.against or self.modality_to_search(query)
        libraries = {kind: self.view(kind) for kind in (*self.modalities(), searched)}
        found = hints_for(query, libraries, self.model, start_s, length_s, options)
        return [*found, *self.missing_hints(searched), *hints_of_failed(self.failures())]

    def missing_hints(self, against: Modality | None = None) -> list[Hint]:
        """Say what happened to the files that are gone, and which command helps.

        Parameters
        ----------
        against
            Look at the files of one modality; by default at both.

        Returns
        -------
        list of Hint
            One for each folder that no longer exists, one for single files; none where all files are there.

        Examples
        --------
        >>> import antiphon, pathlib, shutil
        >>> pathlib.Path("scores").mkdir()
        >>> _ = shutil.copy(antiphon.open_corpus("demo").recordings[0].notes_path, "scores")
        >>> with antiphon.Index.build("scores", "template", out="library") as index:
        ...     _ = pathlib.Path("scores").rename("music")
        ...     hint = str(index.missing_hints()[0])
        >>> hint.split(":")[0], "antiphon index move " in hint
        ('1 of 1 files of the library are gone', True)
        """
        files = self.files(only=against)
        return hints_of_missing(files.missing, len(files), self.folder)

    def files(
        self,
        *,
        only: Modality | None = None,
        state: Presence | None = None,
        composer: str = "",
        folder: str | Path | None = None,
    ) -> FileList:
        """List the files of the index, and look whether they are there.

        Parameters
        ----------
        only
            List one modality; by default both.
        state
            List only files that are `"present"`, `"gone"` or `"unreachable"`.
        composer
            List only works by this composer; a part of the name in any case.
        folder
            List only files below this folder.

        Returns
        -------
        FileList
            In the order of their paths, with `to_csv` and `to_json`.

        Raises
        ------
        UnknownName
            For another word as `only` or `state`.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> with antiphon.Index.build(notes, "template", out="library") as index:
        ...     [(one.kind, one.state) for one in index.files()], len(index.files(state="gone"))
        ([('notes', 'present')], 0)
        """
        kind = _checked(only)
        wanted = None if state is None else look_up("state", state, {name: name for name in PRESENCES})
        above = None if folder is None else Path(folder).resolve()
        return FileList(
            tuple(
                one
                for one in list_files(self.store)
                if kind in (None, one.kind)
                and wanted in (None, one.state)
                and composer.casefold() in one.composer.casefold()
                and (above is None or Path(one.file).is_relative_to(above))
            )
        )

    def prune(self, *, dry_run: bool = False, whole_folders: bool = False) -> PruneReport:
        """Remove the files that are gone from the index.

        Parameters
        ----------
        dry_run
            Change nothing, only report.
        whole_folders
            Remove also files whose root folder does not exist or is empty. By default they are kept, because the folder
            may have moved, or be on a drive that is not mounted.

        Returns
        -------
        PruneReport
            The removed paths, and the root folders whose files were kept.

        Raises
        ------
        UnreadableInput
            The database cannot be written.

        Examples
        --------
        >>> import antiphon, pathlib, shutil
        >>> pathlib.Path("scores").mkdir()
        >>> for one in antiphon.open_corpus("demo").recordings[:2]:
        ...     path = shutil.copy(one.notes_path, "scores")
        >>> with antiphon.Index.build("scores", "template", out="library") as index:
        ...     pathlib.Path(path).unlink()
        ...     len(index.prune(dry_run=True).removed), len(index.prune().removed), len(index)
        (1, 1, 1)
        """
        return prune_files(self.store, dry_run, whole_folders)

    def move(self, old: str | Path, new: str | Path) -> MoveReport:
        """Record that a folder or a file of the library has moved. Nothing is embedded again.

        Each file is looked for at its new path. One with the size and time that the index knows is taken to be
        unchanged; one with another time is read and compared.

        Parameters
        ----------
        old, new
            The folder or file as the index knows it, and where it is now.

        Returns
        -------
        MoveReport
            The number of files that moved, and which are missing or changed there, or have stayed at their old path.

        Raises
        ------
        AntiphonError
            `new` does not exist, or the index contains no file below `old`, none of them is below `new`, or the index
            contains other files below `new` already.

        Examples
        --------
        >>> import antiphon, pathlib, shutil
        >>> pathlib.Path("scores").mkdir()
        >>> _ = shutil.copy(antiphon.open_corpus("demo").recordings[0].notes_path, "scores")
        >>> with antiphon.Index.build("scores", "template", out="library") as index:
        ...     _ = pathlib.Path("scores").rename("moved")
        ...     index.move("scores", "moved").moved, index.files().missing
        (1, [])
        """
        check_path("old", "a folder or file of the index", old)
        check_path("new", "the folder or file where it is now", new)
        if not Path(new).exists():
            raise AntiphonError(f"{new}: no such folder; move the files first, then tell the index")
        return move_files(self.store, Path(old).resolve(), Path(new).resolve())

    def facts(self) -> dict[str, Any]:
        """Describe the index: model, numbers of recordings, hours, windows and works, search method, failed files.

        Returns
        -------
        dict
            The JSON of `antiphon info INDEX`. `hours` is the length of all recordings, `segments` the number of
            windows, `bytes` the size of the index folder, `folders` are the roots of its files. `gone` and
            `unreachable` are files that cannot be found, and `hints` name what helps.

        Examples
        --------
        >>> import antiphon
        >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
        >>> with antiphon.Index.build(notes, "template", out="library") as index:
        ...     index.facts()["notes_recordings"], index.facts()["notes_neighbours"]
        (1, {'method': 'exact'})
        """
        counts = self.store.counts()
        files = self.files()
        return {
            "kind": "index",
            "folder": str(self.folder),
            "bytes": sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file()),
            "folders": sorted(map(str, self.store.folders())),
            "model": self.store.meta("model"),
            "recordings": sum(recordings for recordings, _, _ in counts.values()),
            "hours": round(sum(hours for _, _, hours in counts.values()), 3),
            "segments": sum(windows for _, windows, _ in counts.values()),
            **{f"{kind}_recordings": recordings for kind, (recordings, _, _) in counts.items()},
            **{f"{kind}_hours": round(hours, 3) for kind, (_, _, hours) in counts.items()},
            "works": self.store.count_works(),
            **{f"{kind}_neighbours": facts for kind, facts in self.store.neighbours().items()},
            "failed": self.failures(),
            "gone": [one.file for one in files if one.state == "gone"],
            "unreachable": [one.file for one in files if one.state == "unreachable"],
            "hints": [str(hint) for hint in hints_of_missing(files.missing, len(files), self.folder)],
        }

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
