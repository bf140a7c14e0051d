"""The index folder. The SQLite database is authoritative: one row per recording with its vectors, in one transaction.

A search reads files that are derived from it: for each modality flat files of all vectors and of all note onsets, and a
quantised copy of the vectors where there are many. They are written aside and swapped in, and made again when they are
missing or older than the last change. So a process may die at any moment: the index contains every committed recording
and nothing incomplete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.artifacts import Artifacts
from antiphon.index.database import NAME, Database
from antiphon.index.elsewhere import derived_folder
from antiphon.index.formats import FORMAT
from antiphon.index.metadata import FileMetadata, work_of
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.relocation import relocate_rows
from antiphon.index.roots import Roots
from antiphon.index.view import IndexView, describe_neighbours, onsets_of, open_view
from antiphon.io.files import utf8_name
from antiphon.io.notes import Notes
from antiphon.io.readers import readers_version
from antiphon.models.protocol import Embedder
from antiphon.types import Modality

_HELD = "id, kind, duration_s"
_ABOUT = "composer, title, split, work"
_FOLDER = "folder"  # the property that says where the index lay at the last build


@dataclass(frozen=True)
class FileState:
    """Size and time of a file: equal values mean that it has not changed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class Rename:
    """A recording whose file has another path now, where it has this size and time."""

    old: str
    new: str
    state: FileState


@dataclass(frozen=True)
class IndexedRecording:
    """A recording of an index; its number is constant while the file does not change."""

    id: int
    path: str
    kind: Modality
    duration_s: float


def is_index(folder: str | Path) -> bool:
    """Whether a folder holds an index."""
    return (Path(folder) / NAME).is_file()


class Store:
    """One index folder; a writer and any number of readers may have it open at the same time.

    It is opened for reading, until something is written. Where the folder cannot be written, derived files are made in
    the cache folder. Nearest windows are found exactly among fewer than `exact_below`, which is 16 or more. `roots`
    maps folders of the library, absolute, to the folders where they are now; it is not written down.

    Raises `AntiphonError` when the folder is no index and `create` is not given; `UnreadableInput`, here or in any
    method, when the database is damaged, locked for 30 s, or cannot be written when it has to be.
    """

    def __init__(
        self,
        folder: str | Path,
        create: bool = False,
        exact_below: int = EXACT_BELOW,
        roots: Mapping[Path, Path] | None = None,
    ) -> None:
        self.folder = folder = Path(folder)
        self._moves = dict(roots or {})
        self._exact_below = exact_below
        self._libraries: dict[Modality, tuple[tuple[int, int, int], IndexView]] = {}
        if not create and not is_index(folder):
            raise AntiphonError(f"{folder}: not an index folder; make one with: antiphon index build FOLDER --out DIR")
        if create:
            if folder.exists() and any(folder.iterdir()) and not is_index(folder):
                raise AntiphonError(f"{folder} is not empty and not an index; choose another folder for the index")
            folder.mkdir(parents=True, exist_ok=True)
        self._db = Database(folder / NAME, create)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, key: str, default: str = "") -> str:
        """A property of the whole index: model, model_hash, window_s, hop_s, dimensions."""
        row = next(self._db.rows("SELECT value FROM meta WHERE key = ?", key), None)
        return default if row is None else str(row[0])

    def claim(self, embedder: Embedder, model: str, hop_s: float) -> None:
        """Record the model of a new index, or check that the index was built with it."""
        facts = {"format": FORMAT, "model": model, **_facts_of(embedder), "hop_s": str(hop_s)}
        if not all(self.meta(key) for key in facts):  # an index that is complete must not be locked
            with self._db.transaction():
                self._db.execute_many("INSERT OR IGNORE INTO meta VALUES (?, ?)", list(facts.items()))
        self._check({**_facts_of(embedder), "hop_s": str(hop_s)})

    def check_model(self, embedder: Embedder) -> None:
        """Raises `AntiphonError` where the index was built with another model."""
        self._check(_facts_of(embedder))

    def _check(self, facts: Mapping[str, str]) -> None:
        for key, value in facts.items():
            if self.meta(key) != value:
                raise AntiphonError(
                    f"{self.folder}: built with {key} {self.meta(key)[:12]}, not {value[:12]}; vectors of "
                    "different models cannot be compared: build another index"
                )

    def roots(self) -> Roots:
        """The folders to which the paths of its files are relative."""
        index = self.folder.resolve()
        known = Roots.of(index, self._db.rows("SELECT id, path FROM roots"))
        return known.moved(self._moves).followed(Path(self.meta(_FOLDER) or index))

    def folders(self) -> list[Path]:
        """The roots that have files."""
        used = {root for (root,) in self._db.rows("SELECT root FROM recordings UNION SELECT root FROM failures")}
        return [folder for number, folder in self.roots().folders.items() if number in used]

    def write_place(self) -> None:
        """Write down where the index and its roots are now, so that they are found when they move together."""
        try:
            index = utf8_name(self.folder.resolve())
        except UnreadableInput:  # the database cannot hold it
            return
        if self.meta(_FOLDER) != index or self._moves:
            with self._db.transaction():
                roots = self.roots()
                rows = [(roots.text_of(folder), number) for number, folder in roots.folders.items()]
                self._db.execute_many("UPDATE roots SET path = ? WHERE id = ?", rows)
                self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_FOLDER, index))
            self._moves = {}  # they are in the roots now

    def add_roots(self, folders: Iterable[Path]) -> None:
        """Make these folders roots, except those that lie below a root already."""
        for folder in folders:
            if self.roots().split(folder / "file") is None:
                with self._db.transaction():
                    self._add_root(folder)

    def _add_root(self, folder: Path) -> None:
        self._db.execute("INSERT OR IGNORE INTO roots (path) VALUES (?)", (self.roots().text_of(folder),))

    def _split(self, path: str) -> tuple[int, str]:
        """The root and the path below it of a file, in a transaction; its folder becomes a root where there is none."""
        found = self.roots().split(path)
        if found is None:
            self._add_root(Path(path).parent)
            found = self.roots().split(path)
            assert found is not None
        return found

    def known(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and content hash of every recording."""
        rows = self._files("recordings", "size, mtime_ns, content_hash")
        return {path: (FileState(size, mtime), content) for path, size, mtime, content in rows}

    def recordings(self) -> list[IndexedRecording]:
        """Every recording, in the order of the paths."""
        found = [
            IndexedRecording(id_, path, kind, lasts_s) for path, id_, kind, lasts_s in self._files("recordings", _HELD)
        ]
        return sorted(found, key=lambda one: one.path)

    def failed(self, version: str | None = None) -> dict[str, tuple[FileState, str]]:
        """Path → state and reason of every file that could not be indexed, by these readers (by any)."""
        rows = self._files("failures", "size, mtime_ns, reason, version")
        return {
            path: (FileState(size, mtime), reason)
            for path, size, mtime, reason, tried_by in rows
            if version in (None, tried_by)
        }

    def _files(self, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
        """Full path and columns of every row."""
        roots = self.roots()
        for root, path, *values in self._db.rows(f"SELECT root, path, {columns} FROM {table} ORDER BY root, path"):
            yield roots.full(root, path), *values

    def put(
        self,
        path: str,
        kind: Modality,
        state: FileState,
        content_hash: str,
        duration_s: float,
        starts_s: NDArray[np.float64],
        vectors: NDArray[np.floating],
        notes: Notes | None,
    ) -> None:
        """Add or replace a recording in one transaction; of its `notes`, if any, the onsets are stored."""
        onsets = b"" if notes is None else onsets_of(notes).tobytes()
        rows = vectors.astype(np.float16, copy=False)  # hundreds of megabytes for a long recording
        blobs = starts_s.astype(np.float64).tobytes(), rows.nbytes, onsets
        with self._change():
            place = self._split(path)
            self._delete(place, "failures", "recordings")
            added = self._db.execute(
                "INSERT INTO recordings"
                " (root, path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, zeroblob(?), ?)",
                (*place, kind, state.size, state.mtime_ns, content_hash, duration_s, *blobs),
            )
            self._db.write_blob("recordings", "vectors", added.lastrowid, rows)

    def copy(self, path: str, state: FileState, held: str) -> None:
        """Add or replace a recording whose content is stored under the path `held`.

        The metadata of that path is copied to this one where it has none.
        """
        with self._change():
            place, other = self._split(path), self._split(held)
            self._delete(place, "failures", "recordings")
            self._db.execute(
                "INSERT OR IGNORE INTO about SELECT ?, ?, composer, title, split, work FROM about"
                " WHERE root = ? AND path = ?",
                (*place, *other),
            )
            self._db.execute(
                "INSERT INTO recordings"
                " (root, path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets)"
                " SELECT ?, ?, kind, ?, ?, content_hash, duration_s, starts_s, vectors, onsets FROM recordings"
                " WHERE root = ? AND path = ?",
                (*place, state.size, state.mtime_ns, *other),
            )

    def rename(self, renames: Sequence[Rename]) -> list[Rename]:
        """Give recordings and their metadata new paths, in one transaction, so that they may exchange their paths.

        Recordings at the new paths that are not renamed themselves are removed. Returns the renames that were made: all
        but those of recordings that another process has removed meanwhile.
        """
        with self._change():
            found = []
            taken = {self._split(one.new) for one in renames}
            for one in renames:
                place = self._split(one.old)
                row = next(self._db.rows("SELECT id FROM recordings WHERE root = ? AND path = ?", *place), None)
                if row is not None:
                    about = list(self._db.rows(f"SELECT {_ABOUT} FROM about WHERE root = ? AND path = ?", *place))
                    found.append((one, row[0], place, about))
            for _, id_, place, _ in found:
                self._delete(place, "about")
                if place in taken:  # each update writes the whole row
                    self._db.execute("UPDATE recordings SET path = ? WHERE id = ?", (f"{id_}//", id_))  # no path has //
            for one, id_, _, about in found:
                place = self._split(one.new)
                self._delete(place, "failures", "recordings")
                self._db.execute(
                    "UPDATE recordings SET root = ?, path = ?, size = ?, mtime_ns = ? WHERE id = ?",
                    (*place, one.state.size, one.state.mtime_ns, id_),
                )
                self._db.execute_many(
                    "INSERT OR REPLACE INTO about VALUES (?, ?, ?, ?, ?, ?)", [(*place, *known) for known in about]
                )
        return [one for one, *_ in found]

    def put_failure(self, path: str, state: FileState, reason: str) -> None:
        """Record why a file is not in the index, and the version of the readers that could not read it."""
        with self._change():
            place = self._split(path)
            self._delete(place, "recordings")
            self._db.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)",
                (*place, state.size, state.mtime_ns, reason, readers_version()),
            )

    def touch(self, states: Mapping[str, FileState]) -> None:
        """Record new times of files, by path, whose content did not change."""
        with self._db.transaction():
            rows = [(state.size, state.mtime_ns, *self._split(path)) for path, state in states.items()]
            self._db.execute_many("UPDATE recordings SET size = ?, mtime_ns = ? WHERE root = ? AND path = ?", rows)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove recordings and failures with their metadata."""
        with self._change():
            for path in paths:
                self._delete(self._split(path), "recordings", "failures", "about")

    def _delete(self, place: tuple[int, str], *tables: str) -> None:
        for table in tables:
            self._db.execute(f"DELETE FROM {table} WHERE root = ? AND path = ?", place)

    def about(self) -> dict[str, FileMetadata]:
        """Path → metadata; files without any are left out."""
        return {path: FileMetadata(*known) for path, *known in self._files("about", _ABOUT)}

    def describe(self, about: Mapping[str, FileMetadata]) -> None:
        """Add to the metadata of files, in one transaction. Derived files stay valid."""
        known = self.about()
        updated = {path: known.get(path, FileMetadata()).updated(newer) for path, newer in about.items()}
        changed = {path: one for path, one in updated.items() if one != known.get(path, FileMetadata())}
        if changed:
            with self._db.transaction():
                rows = [(*self._split(path), *astuple(one)) for path, one in changed.items()]
                self._db.execute_many("INSERT OR REPLACE INTO about VALUES (?, ?, ?, ?, ?, ?)", rows)

    def relocate(self, old: Path, new: Path, staying: Collection[str] = ()) -> None:
        """Replace `old`, a folder or a file, by `new` in all paths, both absolute, except in those of `staying`.

        Raises `AntiphonError` where the index contains others at the new paths.
        """
        relocate_rows(self._db, self.folder.resolve(), old, new, staying)

    def counts(self) -> dict[Modality, tuple[int, int, float]]:
        """Per kind: recordings, windows, hours."""
        rows = self._db.rows(
            "SELECT kind, COUNT(*), SUM(LENGTH(starts_s)) / 8, SUM(duration_s) / 3600 FROM recordings GROUP BY kind"
        )
        return {kind: (recordings, windows, hours) for kind, recordings, windows, hours in rows}

    def count_works(self) -> int:
        """The number of works that the recordings perform."""
        about = self.about()
        return len({work_of(held.path, about) for held in self.recordings()})

    def library(self, kind: Modality) -> IndexView:
        """All windows of a modality, mapped from the derived file, which is made first where it is missing or stale.

        The same object until the index changes. Raises `AntiphonError` when the index contains none.
        """
        with self._db.snapshot():  # so that a file named after a generation holds that generation
            state = self._db.state()
            known = self._libraries.get(kind)
            if known is not None and known[0] == state:
                return known[1]
            if kind not in self.counts():
                raise AntiphonError(f"{self.folder}: holds no {kind} to search")
            paths = [path for path, own in self._files("recordings", "kind") if own == kind]
            rows = self._db.rows(
                "SELECT duration_s, starts_s, vectors, onsets FROM recordings WHERE kind = ? ORDER BY root, path", kind
            )
            derived, dimensions = self._derived(kind), int(self.meta("dimensions"))
            library = open_view(derived, dimensions, paths, rows, self.about(), self._exact_below)
            self._libraries[kind] = (state, library)
            return library

    def neighbours(self) -> dict[Modality, dict[str, Any]]:
        """Per modality the search method, and the recall of the quantised copy once that is made."""
        with self._db.snapshot():
            return {
                kind: describe_neighbours(self._derived(kind), windows, self._exact_below)
                for kind, (_, windows, _) in self.counts().items()
            }

    def _derived(self, kind: Modality) -> Artifacts:
        generation = int(self.meta("generation", "0"))
        return Artifacts(derived_folder(self.folder, kind, generation), kind, generation)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction that makes derived files stale."""
        with self._db.transaction():
            yield
            self._db.count_change()


def _facts_of(embedder: Embedder) -> dict[str, str]:
    """Properties that must be equal for vectors to be comparable."""
    return {
        "model_hash": embedder.fingerprint,
        "dimensions": str(embedder.dimensions),
        "window_s": str(embedder.window_s),
    }
