"""The index folder. SQLite is the truth: one row per recording with its vectors, written in one transaction.

What search reads is derived from it: for each kind (audio, notes) flat files of all vectors and of when notes begin,
and a quantised copy of the vectors where they are many; written aside and swapped in, made again when missing or older
than the last change. So whatever moment a process dies at, the last committed recording is there and nothing else is
believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import AntiphonError
from antiphon.index.artifacts import Artifacts
from antiphon.index.database import NAME, Database
from antiphon.index.elsewhere import derived_folder
from antiphon.index.formats import FORMAT
from antiphon.index.metadata import FileMetadata, work_of
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.relocation import relocate_rows
from antiphon.index.roots import Roots
from antiphon.index.view import IndexView, describe_neighbours, onsets_of, open_view
from antiphon.io.notes import Notes
from antiphon.models.protocol import Embedder
from antiphon.types import Modality
from antiphon.version import __version__

_HELD = "id, kind, duration_s"


@dataclass(frozen=True)
class FileState:
    """What tells whether a file has changed."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class IndexedRecording:
    """A recording that an index holds; its number stays while the file does not change."""

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
    the cache folder. Nearest windows are found exactly among fewer than `exact_below`, which is 16 or more. Raises
    `AntiphonError` when the folder is no index and `create` is not given; `UnreadableInput`, here or in any method,
    when the database is damaged, locked for 30 s, or cannot be written when it has to be.
    """

    def __init__(self, folder: str | Path, create: bool = False, exact_below: int = EXACT_BELOW) -> None:
        self.folder = folder = Path(folder)
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
        """A fact about the whole index: model, model_hash, window_s, hop_s, dimensions."""
        row = next(self._db.rows("SELECT value FROM meta WHERE key = ?", key), None)
        return default if row is None else str(row[0])

    def claim(self, embedder: Embedder, model: str, hop_s: float) -> None:
        """Write down the model of a new index, or check that it is the one the index was built with."""
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
        """The folders that its files are kept relative to."""
        return Roots.of(self.folder.resolve(), self._db.rows("SELECT id, path FROM roots"))

    def add_roots(self, folders: Iterable[Path]) -> None:
        """Keep files below these folders relative to them, as far as no root holds them yet."""
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
        """Path → state and content hash of every recording held."""
        rows = self._files("recordings", "size, mtime_ns, content_hash")
        return {path: (FileState(size, mtime), content) for path, size, mtime, content in rows}

    def recordings(self) -> list[IndexedRecording]:
        """Every recording held, in the order of the paths."""
        found = [
            IndexedRecording(id_, path, kind, lasts_s) for path, id_, kind, lasts_s in self._files("recordings", _HELD)
        ]
        return sorted(found, key=lambda one: one.path)

    def failed(self, version: str | None = None) -> dict[str, tuple[FileState, str]]:
        """Path → state and reason of every file that could not be indexed, by this version of the package (any)."""
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
        vectors: NDArray[np.float32],
        notes: Notes | None,
    ) -> None:
        """Add or replace a recording in one transaction; where it has `notes`, their beginnings are kept."""
        onsets = b"" if notes is None else onsets_of(notes).tobytes()
        blobs = starts_s.astype(np.float64).tobytes(), vectors.astype(np.float16).tobytes(), onsets
        with self._change():
            place = self._split(path)
            self._delete(place, "failures", "recordings")
            self._db.execute(
                "INSERT INTO recordings"
                " (root, path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*place, kind, state.size, state.mtime_ns, content_hash, duration_s, *blobs),
            )

    def take_over(self, path: str, state: FileState, held: str, gone: bool) -> None:
        """Add or replace a recording whose content is held under another path, which may be gone: then it is renamed.

        What is known of that path is known of this one, as far as nothing is yet.
        """
        with self._change():
            place, other = self._split(path), self._split(held)
            self._delete(place, "failures", "recordings")
            self._db.execute(
                "INSERT OR IGNORE INTO about SELECT ?, ?, composer, title, split, work FROM about"
                " WHERE root = ? AND path = ?",
                (*place, *other),
            )
            if gone:
                self._delete(other, "about")
                self._db.execute(
                    "UPDATE recordings SET root = ?, path = ?, size = ?, mtime_ns = ? WHERE root = ? AND path = ?",
                    (*place, state.size, state.mtime_ns, *other),
                )
            else:
                self._db.execute(
                    "INSERT INTO recordings"
                    " (root, path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets)"
                    " SELECT ?, ?, kind, ?, ?, content_hash, duration_s, starts_s, vectors, onsets FROM recordings"
                    " WHERE root = ? AND path = ?",
                    (*place, state.size, state.mtime_ns, *other),
                )

    def put_failure(self, path: str, state: FileState, reason: str) -> None:
        """Remember why a file is not held, and which version of the package could not use it."""
        with self._change():
            place = self._split(path)
            self._delete(place, "recordings")
            self._db.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)",
                (*place, state.size, state.mtime_ns, reason, __version__),
            )

    def touch(self, path: str, state: FileState) -> None:
        """A file's time changed, its content did not."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE recordings SET size = ?, mtime_ns = ? WHERE root = ? AND path = ?",
                (state.size, state.mtime_ns, *self._split(path)),
            )

    def remove(self, paths: Iterable[str]) -> None:
        """Forget recordings and failures, and what is known of them."""
        with self._change():
            for path in paths:
                self._delete(self._split(path), "recordings", "failures", "about")

    def _delete(self, place: tuple[int, str], *tables: str) -> None:
        for table in tables:
            self._db.execute(f"DELETE FROM {table} WHERE root = ? AND path = ?", place)

    def about(self) -> dict[str, FileMetadata]:
        """Path → what is known of a file; files of which nothing is known are left out."""
        return {path: FileMetadata(*known) for path, *known in self._files("about", "composer, title, split, work")}

    def describe(self, about: Mapping[str, FileMetadata]) -> None:
        """Add to what is known of files, in one transaction. Derived files stay as they are."""
        known = self.about()
        updated = {path: known.get(path, FileMetadata()).updated(newer) for path, newer in about.items()}
        changed = {path: one for path, one in updated.items() if one != known.get(path, FileMetadata())}
        if changed:
            with self._db.transaction():
                rows = [(*self._split(path), *astuple(one)) for path, one in changed.items()]
                self._db.execute_many("INSERT OR REPLACE INTO about VALUES (?, ?, ?, ?, ?, ?)", rows)

    def relocate(self, old: str | Path, new: str | Path) -> int:
        """Files below the folder `old` are below `new` from now on; how many these are.

        Raises `AntiphonError` where `new` is no folder, or the index holds no file below `old`, or holds others where
        they would be.
        """
        if not Path(new).is_dir():
            raise AntiphonError(f"{new}: no such folder; move the files first, then tell the index")
        return relocate_rows(self._db, self.folder.resolve(), Path(old).resolve(), Path(new).resolve())

    def counts(self) -> dict[Modality, tuple[int, int, float]]:
        """Per kind: recordings, windows, hours."""
        rows = self._db.rows(
            "SELECT kind, COUNT(*), SUM(LENGTH(starts_s)) / 8, SUM(duration_s) / 3600 FROM recordings GROUP BY kind"
        )
        return {kind: (recordings, windows, hours) for kind, recordings, windows, hours in rows}

    def count_works(self) -> int:
        """How many different works the recordings held perform."""
        about = self.about()
        return len({work_of(held.path, about) for held in self.recordings()})

    def library(self, kind: Modality) -> IndexView:
        """All windows of a kind, mapped from the derived file, which is made first where it is missing or stale.

        The same object until something changes. Raises `AntiphonError` when the index holds nothing of that kind.
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
        """Per kind how its nearest windows are found; of a quantised copy how good it is, once it is made."""
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
    """What vectors that are compared must have in common."""
    return {
        "model_hash": embedder.fingerprint,
        "dimensions": str(embedder.dimensions),
        "window_s": str(embedder.window_s),
    }
