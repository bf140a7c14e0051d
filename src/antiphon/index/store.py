"""The index folder. SQLite is the truth: one row per recording with its vectors, written in one transaction.

What search reads is derived from it: for each kind (audio, notes) one flat file of all vectors, written aside and
swapped in, made again when it is missing or older than the last change. So whatever moment a process dies at, the
last committed recording is there and nothing else is believed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.errors import AntiphonError, UnreadableInput

_FORMAT = "1"
_DATABASE = "index.sqlite"
_ABANDONED_S = 3600.0  # an unfinished derived file of this age belongs to a process that died
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS recordings (
    id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, duration_s REAL NOT NULL,
    starts_s BLOB NOT NULL, vectors BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS failures (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, reason TEXT NOT NULL);
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
class Library:
    """All windows of one kind, as search reads them.

    `vectors` float16 [n, D]; `start_s` float64 [n]; recording r owns rows `offset[r]:offset[r + 1]`, comes from
    `paths[r]` and lasts `duration_s[r]`.
    """

    vectors: NDArray[np.float16]
    start_s: NDArray[np.float64]
    offset: NDArray[np.int64]
    paths: tuple[str, ...]
    duration_s: NDArray[np.float64]


def is_index(folder: Path) -> bool:
    """Whether a folder holds an index."""
    return (folder / _DATABASE).is_file()


class Store:
    """One index folder; a writer and any number of readers may have it open at the same time.

    Raises `AntiphonError` when the folder is no index and `create` is not given; `UnreadableInput`, here or in any
    method, when the database is damaged, locked for 30 s, or cannot be written.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.folder = folder
        if not create and not is_index(folder):
            raise AntiphonError(f"{folder}: not an index folder; make one with: antiphon index build FOLDER --out DIR")
        if create:
            if folder.exists() and any(folder.iterdir()) and not is_index(folder):
                raise AntiphonError(f"{folder} is not empty and not an index; choose another folder for the index")
            folder.mkdir(parents=True, exist_ok=True)
        with self._faults_named():
            self._db = sqlite3.connect(folder / _DATABASE, timeout=30.0)
        try:
            with self._faults_named():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.executescript(_SCHEMA)
            self._check_format(create)
        except AntiphonError:
            self.close()
            raise

    def _check_format(self, create: bool) -> None:
        found = self.meta("format")
        if not found and not create:
            raise UnreadableInput(
                self.folder / _DATABASE,
                "it is empty, the build that made it was stopped before its first file; "
                "go on with: antiphon index build FOLDER --out DIR",
            )
        if found not in ("", _FORMAT):
            raise UnreadableInput(self.folder, f"its format is {found}, this version reads {_FORMAT}")

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

    def known(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and content hash of every recording held."""
        rows = self._rows("SELECT path, size, mtime_ns, content_hash FROM recordings")
        return {path: (FileState(size, mtime), content) for path, size, mtime, content in rows}

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
    ) -> None:
        """Add or replace a recording in one transaction."""
        blobs = starts_s.astype(np.float64).tobytes(), vectors.astype(np.float16).tobytes()
        row = (path, kind, state.size, state.mtime_ns, content_hash, duration_s, *blobs)
        with self._change():
            self._db.execute("DELETE FROM failures WHERE path = ?", (path,))
            self._db.execute("DELETE FROM recordings WHERE path = ?", (path,))
            self._db.execute(
                "INSERT INTO recordings (path, kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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
        """Forget recordings and failures."""
        with self._change():
            for table in ("recordings", "failures"):
                self._db.executemany(f"DELETE FROM {table} WHERE path = ?", [(path,) for path in paths])

    def counts(self) -> dict[Side, tuple[int, int, float]]:
        """Per kind: recordings, windows, hours."""
        rows = self._rows(
            "SELECT kind, COUNT(*), SUM(LENGTH(starts_s)) / 8, SUM(duration_s) / 3600 FROM recordings GROUP BY kind"
        )
        return {kind: (recordings, windows, hours) for kind, recordings, windows, hours in rows}

    def library(self, kind: Side) -> Library:
        """All windows of a kind, mapped from the derived file, which is made first where it is missing or stale.

        Raises `AntiphonError` when the index holds nothing of that kind.
        """
        with self._snapshot():  # so that a file named after a generation holds that generation
            if kind not in self.counts():
                raise AntiphonError(f"{self.folder}: holds no {kind} to search")
            vectors_path, facts_path = (
                self.folder / f"{kind}-{self.meta('generation')}.{suffix}" for suffix in ("f16", "json")
            )
            try:
                return self._mapped(vectors_path, json.loads(facts_path.read_text()))
            except (OSError, ValueError):  # missing, or cut off
                return self._derive(kind, vectors_path, facts_path)

    def _mapped(self, vectors_path: Path, facts: dict[str, Any]) -> Library:
        shape = facts["offset"][-1], int(self.meta("dimensions"))
        return Library(
            vectors=np.memmap(vectors_path, np.float16, mode="r", shape=shape),
            start_s=np.array(facts["start_s"], np.float64),
            offset=np.array(facts["offset"], np.int64),
            paths=tuple(facts["paths"]),
            duration_s=np.array(facts["duration_s"], np.float64),
        )

    def _derive(self, kind: Side, vectors_path: Path, facts_path: Path) -> Library:
        rows = self._rows(
            "SELECT path, duration_s, starts_s, vectors FROM recordings WHERE kind = ? ORDER BY path", kind
        )
        paths, durations, starts, offset = [], [], [], [0]
        mine = uuid.uuid4().hex  # other readers may be making the same files
        vectors_aside = vectors_path.with_name(f"{vectors_path.name}.{mine}.part")
        facts_aside = facts_path.with_name(f"{facts_path.name}.{mine}.part")
        with vectors_aside.open("wb") as file:
            for path, duration_s, starts_s, vectors in rows:
                file.write(vectors)
                starts.append(np.frombuffer(starts_s, np.float64))
                paths.append(path)
                durations.append(duration_s)
                offset.append(offset[-1] + len(starts[-1]))
        facts = {
            "paths": paths,
            "duration_s": durations,
            "offset": offset,
            "start_s": np.concatenate(starts).tolist(),
        }
        facts_aside.write_text(json.dumps(facts))
        library = self._mapped(vectors_aside, facts)  # before another reader's newer file takes its place
        os.replace(vectors_aside, vectors_path)
        os.replace(facts_aside, facts_path)
        self._tidy(kind)
        return library

    def _tidy(self, kind: Side) -> None:
        """Remove derived files of older generations, and what died half-written."""
        derived = [path for path in self.folder.glob(f"{kind}-*") if path.suffix in (".f16", ".json")]
        newest = max((_generation(path) for path in derived), default=0)
        for path in derived:
            if _generation(path) < newest:
                path.unlink(missing_ok=True)
        for path in self.folder.glob(f"{kind}-*.part"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()

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


def _generation(derived: Path) -> int:
    return int(derived.stem.rpartition("-")[2])
