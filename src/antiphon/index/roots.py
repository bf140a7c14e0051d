"""The root folders of an index. It stores a file as the number of a root and the path below that root.

So a library can be moved and keep its index: only the roots change. A root inside the folder of the index is stored
relative to that folder, and moves with it. A root elsewhere is found again where it moved together with the index.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from antiphon.errors import AntiphonError


@dataclass(frozen=True)
class Roots:
    """Number → folder, for the index in the folder `index`."""

    index: Path
    folders: Mapping[int, Path]

    @classmethod
    def of(cls, index: Path, rows: Iterable[tuple[int, str]]) -> Roots:
        """From the numbers and texts that the database holds."""
        return cls(index, {number: index / text for number, text in rows})

    def moved(self, moves: Mapping[Path, Path]) -> Roots:
        """The same roots at other folders: those at or below the folder OLD are below NEW, for each OLD → NEW.

        Raises `AntiphonError` where no root lies at or below OLD.
        """
        folders = dict(self.folders)
        for old, new in moves.items():
            inside = [number for number, folder in self.folders.items() if folder.is_relative_to(old)]
            if not inside:
                known = ", ".join(map(str, self.folders.values()))
                raise AntiphonError(f"{old}: no root of the index lies there; its roots are {known}")
            folders |= {number: new / self.folders[number].relative_to(old) for number in inside}
        return Roots(self.index, folders)

    def followed(self, index_before: Path) -> Roots:
        """The same roots; those that do not exist are looked for next to the index, as they lay when it was there.

        So an index that was moved together with its library finds it.
        """
        if index_before == self.index:
            return self
        folders = dict(self.folders)
        for number, folder in self.folders.items():
            near = Path(os.path.normpath(self.index / os.path.relpath(folder, index_before)))
            if not folder.exists() and near.is_dir():
                folders[number] = near
        return Roots(self.index, folders)

    @cached_property
    def _numbers(self) -> dict[Path, int]:
        return {folder: number for number, folder in self.folders.items()}

    def full(self, root: int, path: str) -> str:
        """The full path of a file."""
        return str(self.folders[root] / path)

    def split(self, file: str | Path) -> tuple[int, str] | None:
        """The deepest root above a file, and the file's path from there on; None where there is no such root."""
        path = Path(file)
        for folder in path.parents:
            if folder in self._numbers:
                return self._numbers[folder], path.relative_to(folder).as_posix()
        return None

    def text_of(self, folder: Path) -> str:
        """A folder as the database holds it."""
        return folder.relative_to(self.index).as_posix() if folder.is_relative_to(self.index) else str(folder)


def common_folders(files: Iterable[str]) -> list[Path]:
    """The deepest folder that holds all files, for each drive that they lie on."""
    by_drive: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        path = Path(file)
        by_drive[path.anchor].add(path.parent)
    found = []
    for parents in by_drive.values():
        folder = min(parents)
        while not all(parent.is_relative_to(folder) for parent in parents):
            folder = folder.parent
        found.append(folder)
    return found
