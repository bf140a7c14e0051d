"""The audio and note files below a folder, found in one walk, and how many files of which kinds are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.errors import UnreadableInput
from antiphon.io.kinds import modality_of, suffix_of, without_suffix
from antiphon.io.note_files import GZIP
from antiphon.types import Modality
from antiphon.wording import counted

# Made by macOS, Windows and network storage next to the files of a user; in lower case.
_DEBRIS = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "system volume information"}
    | {"@eadir", "lost+found"}
)
_SECOND_FORMS = frozenset({".txt", ".csv"})
_MOST_KINDS = 8  # in the text


@dataclass(frozen=True)
class LeftOut:
    """Files below folders that are not used, counted by kind.

    Attributes
    ----------
    suffixes : dict
        Suffix in lower case → number of files; empty for files without a suffix.
    hidden : int
        Hidden files and folders, and those that operating systems make.
    links : int
        Links to folders, which were not followed.
    dangling : int
        Links to nothing, and other entries that are neither files nor folders.

    Examples
    --------
    >>> from antiphon import LeftOut
    >>> print(LeftOut({".jpg": 2, "": 1}, hidden=1, links=1))
    4 files left out: 2 .jpg, 1 without suffix, 1 hidden; 1 link to a folder (--follow-links)
    """

    suffixes: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    links: int = 0
    dangling: int = 0

    def __bool__(self) -> bool:
        return bool(self.suffixes or self.hidden or self.links or self.dangling)

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            dict(Counter(self.suffixes) + Counter(other.suffixes)),
            self.hidden + other.hidden,
            self.links + other.links,
            self.dangling + other.dangling,
        )

    def __str__(self) -> str:
        """One line; empty where nothing is left out."""
        named = sorted((-count, suffix) for suffix, count in self.suffixes.items() if suffix)
        parts = [f"{-count} {suffix}" for count, suffix in named[:_MOST_KINDS]]
        if others := named[_MOST_KINDS:]:
            total = -sum(count for count, _ in others)
            parts.append(f"{total} of {counted(len(others), 'other kind')}")
        parts += [f"{self.suffixes['']} without suffix"] if self.suffixes.get("") else []
        parts += [f"{self.hidden} hidden"] if self.hidden else []
        parts += [f"{self.dangling} no file (a link to nothing?)"] if self.dangling else []
        total = sum(self.suffixes.values()) + self.hidden + self.dangling
        said = [f"{counted(total, 'file')} left out: {', '.join(parts)}"] if total else []
        if self.links:
            said.append(f"{counted(self.links, 'link to a folder', 'links to folders')} (--follow-links)")
        return "; ".join(said)

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON."""
        return dict(vars(self))


@dataclass
class Listing:
    """The files of a folder, in the order of their paths, with their modalities; what is left out, and faults."""

    files: dict[Path, Modality]
    left_out: LeftOut
    faults: list[UnreadableInput]

    def only(self, kinds: Collection[Modality], used: Collection[Path] = ()) -> Listing:
        """The files of these modalities. Others are left out, except those that are `used` elsewhere."""
        kept = {path: kind for path, kind in self.files.items() if kind in kinds}
        others = Counter(suffix_of(path) for path in self.files.keys() - kept.keys() - set(used))
        return Listing(kept, self.left_out + LeftOut(dict(others)), self.faults)


def list_folders(folders: Sequence[Path], *, follow_links: bool = False, uncounted: Path | None = None) -> Listing:
    """Find the files at any depth below folders; links to files count as files.

    With `follow_links` links to folders are followed, each folder at most once. Hidden files are left out. Unusable
    files directly in the folder `uncounted` are not counted. Folders and files that cannot be opened are faults. Raises
    `UnreadableInput` where one of `folders` is such a fault.
    """
    walk = _Walk(follow_links, uncounted)
    walk.scan(folders)
    for fault in walk.faults:
        if fault.path in folders:
            raise fault
    walk.leave_out_second_forms()
    left_out = LeftOut(dict(walk.suffixes), walk.hidden, len(walk.links), walk.dangling)
    return Listing(dict(sorted(walk.files.items())), left_out, walk.faults)


class _Walk:
    def __init__(self, follow_links: bool, uncounted: Path | None) -> None:
        self._follow_links, self._uncounted = follow_links, uncounted
        self._visited: set[tuple[int, int]] = set()
        self.files: dict[Path, Modality] = {}
        self.faults: list[UnreadableInput] = []
        self.suffixes: Counter[str] = Counter()
        self.hidden = self.dangling = 0
        self.links: list[Path] = []

    def scan(self, folders: Sequence[Path]) -> None:
        """Walk folders and then, where links are followed, those that they link to and that are not among them."""
        while folders:
            waiting = list(folders)[::-1]
            while waiting:
                waiting += self._scan_one(waiting.pop())
            folders, self.links = (sorted(self.links), []) if self._follow_links else ([], self.links)

    def _scan_one(self, folder: Path) -> list[Path]:
        """Take the files of one folder; returns the folders in it."""
        try:
            found = folder.stat()
            if (identity := (found.st_dev, found.st_ino)) in self._visited:
                return []
            self._visited.add(identity)
            with os.scandir(folder) as entries:
                return [folder / entry.name for entry in entries if self._is_folder(folder, entry)]
        except OSError as error:
            self.faults.append(UnreadableInput(folder, f"this folder cannot be opened ({error.strerror})"))
            return []

    def _is_folder(self, folder: Path, entry: os.DirEntry[str]) -> bool:
        """Whether to walk an entry; files are taken, and others counted."""
        if entry.name.startswith(".") or entry.name.lower() in _DEBRIS:
            self.hidden += 1
            return False
        try:
            is_file, is_folder = entry.is_file(), entry.is_dir()
        except OSError:  # links in a circle
            is_file = is_folder = False
        if is_file:
            self._take(folder / entry.name)
        elif is_folder and entry.is_symlink():
            self.links.append(folder / entry.name)
        elif not is_folder:
            self.dangling += 1
        return is_folder and not entry.is_symlink()

    def leave_out_second_forms(self) -> None:
        """Leave out `.txt` and `.csv` tables next to another note file of that name, as MAPS has for each piece."""
        notes = [path for path, kind in self.files.items() if kind == "notes"]
        second = {path for path in notes if suffix_of(path).removesuffix(GZIP) in _SECOND_FORMS}
        first = {without_suffix(path) for path in notes if path not in second} if second else set()
        for path in second:
            if without_suffix(path) in first:
                del self.files[path]
                self.suffixes[suffix_of(path)] += 1

    def _take(self, path: Path) -> None:
        try:
            kind = modality_of(path)
        except OSError as error:
            self.faults.append(UnreadableInput(path, f"it cannot be opened ({error.strerror})"))
            return
        if kind is not None:
            self.files[path] = kind
        elif path.parent != self._uncounted:
            self.suffixes[suffix_of(path)] += 1
