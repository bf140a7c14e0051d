"""The tables of an index, and how those of the format before are read and upgraded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from antiphon.index.roots import Roots, common_folders

FORMAT, OLDER = "4", "3"
CREATE = (
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS roots (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL)",
    "CREATE TABLE IF NOT EXISTS recordings ("
    " id INTEGER PRIMARY KEY, root INTEGER NOT NULL REFERENCES roots (id), path TEXT NOT NULL, kind TEXT NOT NULL,"
    " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, content_hash TEXT NOT NULL, duration_s REAL NOT NULL,"
    " starts_s BLOB NOT NULL, vectors BLOB NOT NULL, onsets BLOB NOT NULL, UNIQUE (root, path))",
    "CREATE TABLE IF NOT EXISTS failures ("
    " root INTEGER NOT NULL REFERENCES roots (id), path TEXT NOT NULL, size INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, reason TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (root, path))",
    "CREATE TABLE IF NOT EXISTS about ("
    " root INTEGER NOT NULL REFERENCES roots (id), path TEXT NOT NULL, composer TEXT NOT NULL, title TEXT NOT NULL,"
    " split TEXT NOT NULL, work TEXT NOT NULL, PRIMARY KEY (root, path))",
)
_RECORDING = "kind, size, mtime_ns, content_hash, duration_s, starts_s, vectors, onsets"
_SELECT_OLDER = {
    "recordings": f"id, {{place}}, {_RECORDING}",
    "failures": "{place}, size, mtime_ns, reason, ''",
    "about": "{place}, composer, title, split, work",
}

# Full paths are paths from the first folder on.
VIEWS_OF_OLDER = f"""
CREATE TEMP TABLE roots AS SELECT 1 AS id, '/' AS path;
CREATE TEMP VIEW recordings AS SELECT id, 1 AS root, path, {_RECORDING} FROM main.recordings;
CREATE TEMP VIEW failures AS SELECT 1 AS root, path, size, mtime_ns, reason, '' AS version FROM main.failures;
CREATE TEMP VIEW about AS SELECT 1 AS root, path, composer, title, split, work FROM main.about;
"""


def upgrade(connection: sqlite3.Connection, index: Path) -> None:
    """Bring the tables of the format before to this one, inside the transaction that has begun.

    The folder that holds all files becomes the root. The order of the recordings stays, so derived files stay valid.
    """
    paths = [path for (path,) in connection.execute("SELECT path FROM recordings UNION SELECT path FROM failures")]
    roots = Roots(index.resolve(), dict(enumerate(common_folders(paths), start=1)))

    def root_of(file: str) -> int | None:
        found = roots.split(file)
        return None if found is None else found[0]

    def path_of(file: str) -> str | None:
        found = roots.split(file)
        return None if found is None else found[1]

    connection.create_function("root_of", 1, root_of)
    connection.create_function("path_of", 1, path_of)
    for table in _SELECT_OLDER:
        connection.execute(f"ALTER TABLE {table} RENAME TO older_{table}")
    for statement in CREATE:
        connection.execute(statement)
    rows = [(number, roots.text_of(folder)) for number, folder in roots.folders.items()]
    connection.executemany("INSERT INTO roots VALUES (?, ?)", rows)
    for table, columns in _SELECT_OLDER.items():
        chosen = columns.format(place="root_of(path), path_of(path)")
        connection.execute(f"INSERT INTO {table} SELECT {chosen} FROM older_{table} WHERE root_of(path) IS NOT NULL")
        connection.execute(f"DROP TABLE older_{table}")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'format'", (FORMAT,))
