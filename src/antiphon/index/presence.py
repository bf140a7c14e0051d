"""Whether the files of an index are still there, and the likely causes where they are not."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

Presence = Literal["present", "gone", "unreachable"]
"""A file is gone where its path does not exist, and unreachable where that cannot be told: a closed folder, a
network or a drive that fails."""
PRESENCES: tuple[Presence, ...] = ("present", "gone", "unreachable")

_SAMPLE = 20
"""Files that must all be in a folder for it to be the renamed one."""
_MOST_SIBLINGS = 500
_MOST_FOLDERS = 3


def presence(path: str | Path) -> Presence:
    """Look whether a file exists.

    >>> presence("/"), presence("/no/such/file.mid")
    ('present', 'gone')
    """
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "gone"
    except OSError:
        return "unreachable"
    return "present"


def lost_folder(path: str | Path) -> Path | None:
    """The highest folder above a file that does not exist; None where the folder of the file exists.

    >>> lost_folder("/no/such/file.mid"), lost_folder("/file.mid")
    (PosixPath('/no'), None)
    """
    lost = None
    for folder in Path(path).parents:
        if os.path.exists(folder):
            break
        lost = folder
    return lost


def found_again(folder: Path, files: Sequence[str]) -> Path | None:
    """Where a folder that no longer exists may be now: a folder near it with the same files below it, else None.

    Its siblings are looked at, the folders of its name in them, and those of its name further up.
    """
    inside = [Path(file).relative_to(folder) for file in files[:_SAMPLE]]
    return next((near for near in _near(folder) if all((near / one).is_file() for one in inside)), None)


def _near(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder.parent) as entries:
            siblings = sorted(Path(one.path) for one in entries if one.is_dir())[:_MOST_SIBLINGS]
    except OSError:
        siblings = []
    yield from siblings
    yield from (sibling / folder.name for sibling in siblings)
    yield from (above / folder.name for above in folder.parent.parents)


def explain_missing(missing: Sequence[str], of: int, index: Path) -> list[str]:
    """The causes why files of an index are missing, each with the command that helps, one a line.

    `missing` are full paths, `of` is the number of all files. The folder with the most files comes first.
    """
    by_folder: dict[Path | None, list[str]] = defaultdict(list)
    unreachable, lost = [], {}
    for path in missing:
        if presence(path) == "unreachable":
            unreachable.append(path)
            continue
        own = os.path.dirname(path)
        if own not in lost:
            lost[own] = lost_folder(path)
        by_folder[lost[own]].append(path)
    lines = []
    single = by_folder.pop(None, [])
    folders = sorted(by_folder.items(), key=lambda one: -len(one[1]))
    library = shlex.quote(str(index))
    for folder, files in ((folder, files) for folder, files in folders[:_MOST_FOLDERS] if folder is not None):
        old, now = shlex.quote(str(folder)), found_again(folder, files)
        gone = f"{len(files)} of {of} files of the library are gone: the folder {folder} no longer exists"
        if now is not None:
            move = f"antiphon index move {old} {shlex.quote(str(now))} --index {library}"
            lines.append(f"{gone}, and {now} has its files; write that down with: {move}")
        else:
            lines.append(
                f"{gone}; where it was moved: antiphon index move {old} NEW --index {library}; "
                f"where it was deleted: antiphon index prune {library} --whole-folders"
            )
    if others := sum(len(files) for _, files in folders[_MOST_FOLDERS:]):
        lines.append(f"{others} of {of} files of the library are gone with other folders: antiphon info {library}")
    if single:
        above = shlex.quote(os.path.commonpath([os.path.dirname(path) for path in single]))
        lines.append(
            f"{len(single)} of {of} files of the library are gone, the first {single[0]}; where they were renamed: "
            f"antiphon index add {above} --index {library}; where they were deleted: antiphon index prune {library}"
        )
    if unreachable:
        lines.append(
            f"{len(unreachable)} of {of} files of the library cannot be reached, the first {unreachable[0]}: "
            "not permitted, or its drive or network fails"
        )
    return lines
