"""Change the paths of an index after a folder of its library has moved."""

from __future__ import annotations

from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.index.database import Database
from antiphon.index.roots import Roots

_TABLES = ("recordings", "failures", "about")


def relocate_rows(database: Database, index: Path, old: Path, new: Path) -> int:
    """Replace the folder `old` by `new` in all paths, in one transaction; returns the number of files.

    Derived files stay valid where whole roots have moved. Raises `AntiphonError` where the index contains no file below
    `old`, or contains others at the new paths.
    """

    def moved(file: str) -> str:
        path = Path(file)
        return str(new / path.relative_to(old)) if path.is_relative_to(old) else file

    def roots_now() -> Roots:
        return Roots.of(index, database.rows("SELECT id, path FROM roots"))

    with database.transaction():
        roots = roots_now()
        rows = [
            (table, root, path, roots.full(root, path))
            for table in _TABLES
            for root, path in database.rows(f"SELECT root, path FROM {table}")
        ]
        held = {file for table, _, _, file in rows if table != "about"}
        moving = {file for file in held if Path(file).is_relative_to(old)}
        if not moving:
            known = ", ".join(map(str, roots.folders.values()))
            raise AntiphonError(f"{old}: the index holds no file below it; its files lie below {known}")
        if taken := {moved(file) for file in moving} & (held - moving):
            raise AntiphonError(f"{min(taken)}: the index holds this file already; remove it or build the index again")
        folders = set(roots.folders.values())
        for number, folder in roots.folders.items():
            target = Path(moved(str(folder)))
            if target not in folders:
                database.execute("UPDATE roots SET path = ? WHERE id = ?", (roots.text_of(target), number))
        roots = roots_now()
        if roots.split(new / "file") is None:
            database.execute("INSERT INTO roots (path) VALUES (?)", (roots.text_of(new),))
            roots = roots_now()
        strays = [
            (table, place, (root, path))
            for table, root, path, file in rows
            if (place := roots.split(moved(file))) is not None and place != (root, path)
        ]
        for table, place, before in strays:
            database.execute(f"UPDATE {table} SET root = ?, path = ? WHERE root = ? AND path = ?", (*place, *before))
        if strays:
            database.count_change()
    return len(moving)
