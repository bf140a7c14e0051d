"""The database of an index: opened for reading until something is written, in this format or the one before."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from antiphon.errors import UnreadableInput
from antiphon.index.formats import CREATE, FORMAT, OLDER, VIEWS_OF_OLDER, upgrade

NAME = "index.sqlite"
_PATIENCE_S = 30.0  # with a database that another process has locked
_UNWRITABLE = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_FULL}
_ROWS_AT_ONCE = 1024
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder: not on read-only media, nor where it is not permitted."""
    return os.access(folder, os.W_OK)


class Database:
    """One SQLite file. Raises `UnreadableInput`, here or in any method, when it is damaged, locked for 30 s, of an
    unknown format, or cannot be written when it has to be.

    With `create` it is opened for writing and made where it is missing; else the first transaction does that.
    """

    def __init__(self, path: Path, create: bool) -> None:
        self.path = path
        self.opened = 0
        """How often it was opened: counts of changes begin anew each time."""
        self._writable = False
        self._shows_older = False
        self._connection: sqlite3.Connection
        (self._open_to_write if create else self._open_to_read)()

    def close(self) -> None:
        if self._writable:
            # A reader that closes last could not do it, and read-only media would miss what is in the log.
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def execute(self, query: str, parameters: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Run a statement as it is."""
        return self._connection.execute(query, parameters)

    def write_blob(self, table: str, column: str, row: int | None, values: NDArray[Any]) -> None:
        """Write an array into a blob of its size, part by part: a statement would copy it twice."""
        assert row is not None
        with self._connection.blobopen(table, column, row) as blob:
            for begin in range(0, len(values), _ROWS_AT_ONCE):
                blob.write(values[begin : begin + _ROWS_AT_ONCE].tobytes())

    def execute_many(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        """Run a statement for every row."""
        self._connection.executemany(query, rows)

    def rows(self, query: str, *parameters: str | int) -> Iterator[tuple[Any, ...]]:
        """The rows that a statement returns."""
        with self.faults_named():
            if not self._connection.in_transaction:
                self._follow_upgrade()
            yield from self._connection.execute(query, parameters)

    def count_change(self) -> None:
        """Make derived files stale; in a transaction."""
        self._connection.execute(
            "INSERT INTO meta VALUES ('generation', '1')"
            " ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1"
        )

    def state(self) -> tuple[int, int, int]:
        """A value that differs from an earlier one when the database has changed."""
        # Commits of others change the second, commits of this connection the third.
        return self.opened, next(self.rows("PRAGMA data_version"))[0], self._connection.total_changes

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads inside the block see one state of the database, although others may write."""
        with self.faults_named():
            self._connection.execute("BEGIN")
            if self._follow_upgrade():
                self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def _follow_upgrade(self) -> bool:
        """Open again where a writer has upgraded the database; returns whether that is so."""
        if not self._shows_older or self._format() != FORMAT:
            return False
        self._connection.close()
        self._open_to_read()
        return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the changes of the block at its end, or none where it fails."""
        if not self._writable:
            self._connection.close()
            self._open_to_write()
        with self.faults_named():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.commit()
            finally:
                self._connection.rollback()  # does nothing after a commit

    @contextmanager
    def faults_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without the details in the higher bits
            if code in _LOCKED:
                reason = f"another process has kept it locked for {_PATIENCE_S:g} s; try again when that has ended"
            elif code in _UNWRITABLE:
                reason = f"it cannot be opened or not be written ({error})"
            else:
                reason = f"not an index database, or not a usable one ({error})"
            raise UnreadableInput(self.path, reason) from None

    def _open_to_read(self) -> None:
        self._open("ro", self._begin_reading)

    def _open_to_write(self) -> None:
        self._open("rwc", self._begin_writing)
        self._writable = True

    def _open(self, mode: str, begin: Callable[[], None]) -> None:
        self._shows_older = False
        self.opened += 1
        with self.faults_named():
            self._connection = self._connect(mode)
        try:
            with self.faults_named():
                begin()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"{self.path.resolve().as_uri()}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S, isolation_level=None)

    def _begin_reading(self) -> None:
        try:
            found = self._format()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN:
                raise
            # The files that readers share cannot be made next to it: the media are read-only, so no process writes.
            self._connection.close()
            log = self.path.with_name(f"{self.path.name}-wal")
            self._connect_to_media(with_log=log.exists() and log.stat().st_size > 0)
            found = self._format()
        if not found:
            raise UnreadableInput(
                self.path,
                "it is empty, the build that made it was stopped before its first file; "
                "go on with: antiphon index build FOLDER --out DIR",
            )
        self._check(found)
        if found == OLDER:
            self._connection.executescript(VIEWS_OF_OLDER)
            self._shows_older = True

    def _connect_to_media(self, with_log: bool) -> None:
        """Connect without locks. Changes that only the log holds are read by an index of it in memory."""
        if not with_log:
            self._connection = self._connect("ro&immutable=1")
            return
        try:
            self._connection = self._connect("ro&vfs=unix-none")
            # SQLite then keeps its index of the log to itself.
            self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        except sqlite3.OperationalError:  # this system has no such access
            reason = "its last changes cannot be read where nothing can be written; copy it to another folder"
            raise UnreadableInput(self.path, reason) from None

    def _begin_writing(self) -> None:
        self._keep_write_ahead_log()
        self._connection.execute("PRAGMA synchronous=FULL")
        found = self._format()
        self._check(found)
        if found == FORMAT:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            columns = [row[1] for row in self._connection.execute("PRAGMA table_info(recordings)")]
            if columns and "root" not in columns:  # a build may have stopped before it wrote down the format
                upgrade(self._connection, self.path.parent)
            for statement in CREATE:
                self._connection.execute(statement)
            self._connection.commit()
        finally:
            self._connection.rollback()

    def _keep_write_ahead_log(self) -> None:
        """So that readers need not wait for a writer.

        SQLite answers "locked" at once, whatever the timeout, where another process changes a new database's journal
        at the same moment (sqlite.org/c3ref/busy_handler.html), so the waiting is done here.
        """
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    def _format(self) -> str:
        """Empty where no build has begun."""
        tables = "SELECT name FROM main.sqlite_master WHERE type = 'table'"
        if ("meta",) not in self._connection.execute(tables).fetchall():
            return ""
        row = self._connection.execute("SELECT value FROM main.meta WHERE key = 'format'").fetchone()
        return "" if row is None else str(row[0])

    def _check(self, found: str) -> None:
        if found not in ("", OLDER, FORMAT):
            newer = found.isdecimal() and int(found) > int(FORMAT)
            raise UnreadableInput(
                self.path.parent,
                f"its format is {found}, this version of Antiphon reads {OLDER} and {FORMAT}: "
                f"{'upgrade Antiphon' if newer else 'build another with: antiphon index build'}",
            )
