"""Change the paths of an index after files of its library have moved."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from antiphon.errors import AntiphonError
from antiphon.index.database import Database
from antiphon.index.roots import Roots

_TABLES = ("recordings", "failures", "about")


def moved_path(file: str, old: Path, new: Path) -> str:
    """The path of a file after `old`, which is it or a folder above it, has become `new`; other paths as they are.

    >>> moved_path("/a/b/c.mid", Path("/a"), Path("/z")), moved_path("/a/b/c.mid", Path("/b"), Path("/z"))
    ('/z/b/c.mid', '/a/b/c.mid')
    """
    path = Path(file)
    return str(new / path.relative_to(old)) if path.is_relative_to(old) else file


def relocate_rows(database: Database, index: Path, old: Path, new: Path, staying: Collection[str]) -> None:
    """Replace `old`, a folder or a file, by `new` in all paths except those of `staying`, in one transaction.

    Derived files stay valid where whole roots have moved. Raises `AntiphonError` where the index contains others at the
    new paths.
    """

    def moved(file: str) -> str:
        return file if file in staying else moved_path(file, old, new)

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
        moving = {file for file in held if moved(file) != file}
        if taken := {moved(file) for file in moving} & (held - moving):
            raise AntiphonError(f"{min(taken)}: the index holds this file already; remove it or build the index again")
        folders = set(roots.folders.values())
        for number, folder in roots.folders.items():
            target = Path(moved(str(folder)))
            if target not in folders and not staying:
                database.execute("UPDATE roots SET path = ? WHERE id = ?", (roots.text_of(target), number))
        roots = roots_now()
        folder = new if new.is_dir() else new.parent
        if roots.split(folder / "file") is None:
            database.execute("INSERT INTO roots (path) VALUES (?)", (roots.text_of(folder),))
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
