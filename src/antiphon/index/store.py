"""The index folder. SQLite is the truth: one row per recording with its vectors, written in one transaction.

What search reads is derived from it: for each kind (audio, notes) flat files of all vectors and of when notes begin,
and a quantised copy of the vectors where they are many; written aside and swapped in, made again when missing or older
than the last change. So whatever moment a process dies at, the last committed recording is there and nothing else is
believed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.index.derived import Derived
from antiphon.index.library import Library, describe_neighbours, onsets_of, open_library
from antiphon.index.neighbours import EXACT_BELOW
from antiphon.index.works import About, work_of
from antiphon.notes import Notes

_FORMAT = "3"
_DATABASE = "index.sqlite"
_PATIENCE_S = 30.0  # with a database that somebody else has locked
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recordings (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    starts_s BLOB NOT NULL, vectors BLOB NOT NULL, onsets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS about (
    path TEXT PRIMARY KEY, composer TEXT NOT NULL, title TEXT NOT NULL, split TEXT NOT NULL, work TEXT NOT NULL);
"""


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
class Held:
    """A recording that an index holds; its number stays while the file does not change."""

    id: int
    path: str
    kind: Side
    duration_s: float


def is_index(folder: Path) -> bool:
    """Whether a folder holds an index."""
    return (folder / _DATABASE).is_file()


class Store:
    """One index folder; a writer and any number of readers may have it open at the same time.

    Nearest windows are found exactly among fewer than `exact_below`, which is 16 or more. Raises `AntiphonError` when
    the folder is no index and `create` is not given; `UnreadableInput`, here or in any method, when the database is
    damaged, locked for 30 s, or cannot be written.
    """

    def __init__(self, folder: Path, create: bool = False, exact_below: int = EXACT_BELOW) -> None:
        self.folder = folder
        self._exact_below = exact_below
        self._libraries: dict[Side, tuple[tuple[int, int], Library]] = {}
        if not create and not is_index(folder):
            raise AntiphonError(f"{folder}: not an index folder; make one with: antiphon index build FOLDER --out DIR")
        if create:
            if folder.exists() and any(folder.iterdir()) and not is_index(folder):
                raise AntiphonError(f"{folder} is not empty and not an index; choose another folder for the index")
            folder.mkdir(parents=True, exist_ok=True)
        with self._faults_named():
            self._db = sqlite3.connect(folder / _DATABASE, timeout=_PATIENCE_S)
        try:
            with self._faults_named():
                self._keep_write_ahead_log()
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_SCHEMA)
            self._check_format(create)
        except AntiphonError:
            self.close()
            raise

    def _keep_write_ahead_log(self) -> None:
        """So that readers need not wait for a writer.

        SQLite answers "locked" at once, whatever the timeout, where another process changes a new database's journal
        at the same moment (sqlite.org/c3ref/busy_handler.html), so the waiting is done here.
        """
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    def _check_format(self, create: bool) -> None:
        found = self.meta("format")
        if not found and not create:
            raise UnreadableInput(
                self.folder / _DATABASE,
                "it is empty, the build that made it was stopped before its first file; "
                "go on with: antiphon index build FOLDER --out DIR",
            )
        if found not in ("", _FORMAT):
            raise UnreadableInput(
                self.folder,
                f"its format is {found}, this version reads {_FORMAT}: build another with: antiphon index build",
            )

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, key: str, default: str = "") -> str:
        """A fact about the whole index: model, model_hash, window_s, hop_s, dimensions."""
        row = next(self._rows("SELECT value FROM meta WHERE key = ?", key), None)
        return default if row is None else str(row[0])

    def claim(self, embedder: Embedder, model: str, hop_s: float) -> None:
        """Write down the model of a new index, or check that it is the one the index was built with."""
        wanted = {
            "format": _FORMAT,
            "model": model,
            "model_hash": embedder.fingerprint,
            "dimensions": str(embedder.dimensions),
            "window_s": str(embedder.window_s),
            "hop_s": str(hop_s),
        }
        if not all(self.meta(key) for key in wanted):  # readers claim too; they must not wait for a writer
            with self._transaction():
                self._db.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", wanted.items())
        for key, value in wanted.items():
            if key != "model" and self.meta(key) != value:
                raise AntiphonError(
                    f"{self.folder}: built with {key} {self.meta(key)[:12]}, not {value[:12]}; vectors of "
                    "different models cannot be compared: build another index"
                )

    def check_model(self, embedder: Embedder) -> None:
        """Raises `AntiphonError` where the index was built with another model."""
        self.claim(embedder, self.meta("model"), float(self.meta("hop_s")))

    def known(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and content hash of every recording held."""
        rows = self._rows("SELECT path, size, mtime_ns, content_hash FROM recordings")
        return {path: (FileState(size, mtime), content) for path, size, mtime, content in rows}

    def recordings(self) -> list[Held]:
        """Every recording held, in the order of the paths."""
        return [Held(*row) for row in self._rows("SELECT id, path, kind, duration_s FROM recordings ORDER BY path")]

    def failed(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and reason of every file that could not be indexed."""
        rows = self._rows("SELECT path, size, mtime_ns, reason FROM failures")
        return {path: (FileState(size, mtime), reason) for path, size, mtime, reason in rows}

    def put(
        self,
        path: str,
        kind: Side,
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
        row = (path, kind, state.size, state.mtime_ns, content_hash, duration_s, *blobs)
        with self._change():
            self._db.execute("DELETE FROM failures WHERE path = ?", (path,))
            self._db.execute("DELETE FROM recordings WHERE path = ?", (path,))
            self._db.execute(
                "INSERT INTO recordings"
                " (path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def put_failure(self, path: str, state: FileState, reason: str) -> None:
        """Remember why a file is not held."""
        with self._change():
            self._db.execute("DELETE FROM recordings WHERE path = ?", (path,))
            self._db.execute(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?)", (path, state.size, state.mtime_ns, reason)
            )

    def touch(self, path: str, state: FileState) -> None:
        """A file's time changed, its content did not."""
        with self._transaction():
            self._db.execute(
                "UPDATE recordings SET size = ?, mtime_ns = ? WHERE path = ?", (state.size, state.mtime_ns, path)
            )

    def remove(self, paths: Sequence[str]) -> None:
        """Forget recordings and failures, and what is known of them."""
        with self._change():
            for table in ("recordings", "failures", "about"):
                self._db.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])

    def about(self) -> dict[str, About]:
        """Path → what is known of a file; files of which nothing is known are left out."""
        return {path: About(*known) for path, *known in self._rows("SELECT * FROM about")}

    def describe(self, about: Mapping[str, About]) -> None:
        """Add to what is known of files, in one transaction. Derived files stay as they are."""
        known = self.about()
        updated = {path: known.get(path, About()).updated(newer) for path, newer in about.items()}
        rows = [(path, *astuple(one)) for path, one in updated.items() if one != known.get(path, About())]
        if rows:
            with self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?, ?, ?, ?)", rows)

    def counts(self) -> dict[Side, tuple[int, int, float]]:
        """Per kind: recordings, windows, hours."""
        rows = self._rows(
            "SELECT kind, COUNT(*), SUM(LENGTH(starts_s)) / 8, SUM(duration_s) / 3600 FROM recordings GROUP BY kind"
        )
        return {kind: (recordings, windows, hours) for kind, recordings, windows, hours in rows}

    def count_works(self) -> int:
        """How many different works the recordings held perform."""
        about = self.about()
        return len({work_of(path, about) for (path,) in self._rows("SELECT path FROM recordings")})

    def library(self, kind: Side) -> Library:
        """All windows of a kind, mapped from the derived file, which is made first where it is missing or stale.

        The same object until something changes. Raises `AntiphonError` when the index holds nothing of that kind.
        """
        with self._snapshot():  # so that a file named after a generation holds that generation
            # What others commit changes the first, what is done here the second.
            state = (next(self._rows("PRAGMA data_version"))[0], self._db.total_changes)
            if self._libraries.get(kind, (None, None))[0] == state:
                return self._libraries[kind][1]
            if kind not in self.counts():
                raise AntiphonError(f"{self.folder}: holds no {kind} to search")
            rows = self._rows(
                "SELECT path, duration_s, starts_s, vectors, onsets FROM recordings WHERE kind = ? ORDER BY path", kind
            )
            derived, dimensions = self._derived(kind), int(self.meta("dimensions"))
            library = open_library(derived, dimensions, rows, self.about(), self._exact_below)
            self._libraries[kind] = (state, library)
            return library

    def neighbours(self) -> dict[Side, dict[str, Any]]:
        """Per kind how its nearest windows are found; of a quantised copy how good it is, once it is made."""
        with self._snapshot():
            return {
                kind: describe_neighbours(self._derived(kind), windows, self._exact_below)
                for kind, (_, windows, _) in self.counts().items()
            }

    def _derived(self, kind: Side) -> Derived:
        return Derived(self.folder, kind, int(self.meta("generation", "0")))

    def _rows(self, query: str, *parameters: str) -> Iterator[tuple[Any, ...]]:
        with self._faults_named():
            yield from self._db.execute(query, parameters)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            path = self.folder / _DATABASE
            raise UnreadableInput(path, f"not an index database, or not a usable one ({error})") from None

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Everything read inside is of one state, whatever writers do meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._faults_named(), self._db:
            yield

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction that makes derived files stale."""
        with self._transaction():
            yield
            self._db.execute(
                "INSERT INTO meta VALUES ('generation', '1')"
                " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )
