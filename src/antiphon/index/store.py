"""The index folder. SQLite is the truth: one row per recording with its vectors, written in one transaction.

What search reads is derived from it: for each kind (audio, notes) one flat file of all vectors, written aside and
swapped in, made again when it is missing or older than the last change. So whatever moment a process dies at, the
last committed recording is there and nothing else is believed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.descriptors import Side
from antiphon.embedding import Embedder
from antiphon.errors import AntiphonError, UnreadableInput

_FORMAT = "1"
_DATABASE = "index.sqlite"
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


class Store:
    """One index folder; a writer and any number of readers may have it open at the same time.

    Raises `AntiphonError` when the folder is no index and `create` is not given.
    """

    def __init__(self, folder: Path, create: bool = False) -> None:
        self.folder = folder
        if not create and not (folder / _DATABASE).is_file():
            raise AntiphonError(f"{folder}: not an index folder; make one with: antiphon index build FOLDER --out DIR")
        if create:
            if folder.exists() and any(folder.iterdir()) and not (folder / _DATABASE).exists():
                raise AntiphonError(f"{folder} is not empty and not an index; choose another folder for the index")
            folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / _DATABASE, timeout=30.0)
        try:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise UnreadableInput(folder / _DATABASE, f"not an index database ({error})") from None
        if self.meta("format", _FORMAT) != _FORMAT:
            raise UnreadableInput(folder, f"its format is {self.meta('format', '?')}, this version reads {_FORMAT}")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, key: str, default: str = "") -> str:
        """A fact about the whole index: model, model_hash, window_s, hop_s, dimensions."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
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
        with self._db:
            for key, value in wanted.items():
                if key != "model" and self.meta(key, value) != value:
                    raise AntiphonError(
                        f"{self.folder}: built with {key} {self.meta(key)[:12]}, not {value[:12]}; vectors of "
                        "different models cannot be compared: build another index"
                    )
                self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))

    def known(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and content hash of every recording held."""
        rows = self._db.execute("SELECT path, size, mtime_ns, content_hash FROM recordings")
        return {path: (FileState(size, mtime), content) for path, size, mtime, content in rows}

    def failed(self) -> dict[str, tuple[FileState, str]]:
        """Path → state and reason of every file that could not be indexed."""
        rows = self._db.execute("SELECT path, size, mtime_ns, reason FROM failures")
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
        with self._db:
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
        rows = self._db.execute(
            "SELECT kind, COUNT(*), SUM(LENGTH(starts_s)) / 8, SUM(duration_s) / 3600 FROM recordings GROUP BY kind"
        )
        return {kind: (recordings, windows, hours) for kind, recordings, windows, hours in rows}

    def library(self, kind: Side) -> Library:
        """All windows of a kind, mapped from the derived file, which is made first where it is missing or stale.

        Raises `AntiphonError` when the index holds nothing of that kind.
        """
        if kind not in self.counts():
            raise AntiphonError(f"{self.folder}: holds no {kind} to search")
        generation = self.meta("generation", "0")
        vectors_path, facts_path = (self.folder / f"{kind}-{generation}.{suffix}" for suffix in ("f16", "json"))
        if not facts_path.exists():
            self._derive(kind, generation, vectors_path, facts_path)
        facts = json.loads(facts_path.read_text())
        return Library(
            vectors=np.memmap(vectors_path, np.float16, mode="r").reshape(-1, int(self.meta("dimensions"))),
            start_s=np.array(facts["start_s"], np.float64),
            offset=np.array(facts["offset"], np.int64),
            paths=tuple(facts["paths"]),
            duration_s=np.array(facts["duration_s"], np.float64),
        )

    def _derive(self, kind: Side, generation: str, vectors_path: Path, facts_path: Path) -> None:
        rows = self._db.execute(
            "SELECT path, duration_s, starts_s, vectors FROM recordings WHERE kind = ? ORDER BY path", (kind,)
        )
        paths, durations, starts, offset = [], [], [], [0]
        vectors_aside = vectors_path.with_name(f"{vectors_path.name}.{os.getpid()}.part")
        facts_aside = facts_path.with_name(f"{facts_path.name}.{os.getpid()}.part")
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
        os.replace(vectors_aside, vectors_path)
        os.replace(facts_aside, facts_path)
        for old in self.folder.glob(f"{kind}-*"):
            if old.suffix in (".f16", ".json") and old.stem != f"{kind}-{generation}":
                old.unlink(missing_ok=True)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """A transaction that makes derived files stale."""
        with self._db:
            yield
            self._db.execute(
                "INSERT INTO meta VALUES ('generation', '1')"
                " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )
