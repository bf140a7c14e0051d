"""The files of an index: which there are, which are gone, and the removal or new paths of those."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.index.metadata import FileMetadata
from antiphon.index.presence import Presence, presence
from antiphon.index.relocation import moved_path
from antiphon.index.store import FileState, Store
from antiphon.io.csv_tables import csv_text
from antiphon.io.files import content_hash
from antiphon.progress import track
from antiphon.types import Modality
from antiphon.wording import counted


@dataclass(frozen=True)
class IndexedFile:
    """A file of an index.

    Attributes
    ----------
    file : str
        Its full path.
    kind : {"audio", "notes"}
        Its modality.
    duration_s : float
        Its length in seconds.
    state : {"present", "gone", "unreachable"}
        Whether it is there. Where a folder is closed, or a drive or network fails, that cannot be told.
    composer, title, split, work : str
        Empty where they are not known.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.IndexedFile("a.mid", "notes", 31.5, "gone").as_dict()
    {'file': 'a.mid', 'kind': 'notes', 'duration_s': 31.5, 'state': 'gone'}
    """

    file: str
    kind: Modality
    duration_s: float
    state: Presence
    composer: str = ""
    title: str = ""
    split: str = ""
    work: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The file as JSON, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value != ""}


_COLUMNS = tuple(IndexedFile.__dataclass_fields__)


@dataclass(frozen=True)
class FileList:
    """Files of an index in the order of their paths, as a table. Iteration gives each `IndexedFile`.

    Attributes
    ----------
    files : tuple of IndexedFile
        The files.

    Examples
    --------
    >>> import antiphon
    >>> found = antiphon.FileList((antiphon.IndexedFile("a.mid", "notes", 31.5, "present"),))
    >>> len(found), found.summary
    (1, '1 file: 1 of notes')
    >>> print(found.to_csv(), end="")
    file,kind,duration_s,state,composer,title,split,work
    a.mid,notes,31.5,present,,,,
    """

    files: tuple[IndexedFile, ...]

    def __iter__(self) -> Iterator[IndexedFile]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def missing(self) -> list[str]:
        """The paths of files that are gone or cannot be reached."""
        return [one.file for one in self if one.state != "present"]

    @property
    def summary(self) -> str:
        """The numbers of files of each kind and of those that are not present, in one line."""
        numbers = Counter[str](word for one in self for word in (one.kind, one.state))
        names = {"audio": "of audio", "notes": "of notes", "gone": "gone", "unreachable": "not reachable"}
        parts = [f"{numbers[word]} {name}" for word, name in names.items() if numbers[word]]
        return counted(len(self), "file") + (f": {', '.join(parts)}" if parts else "")

    def to_csv(self) -> str:
        """CSV text: a row for each file."""
        return csv_text(_COLUMNS, (one.as_dict() for one in self))

    def to_json(self) -> str:
        """JSON text: a list of the files."""
        return json.dumps([one.as_dict() for one in self], indent=1, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class PruneReport:
    """Result of removing from an index the files that are gone.

    Attributes
    ----------
    removed : tuple of str
        Paths that were removed, or would be in a dry run.
    kept : dict
        Root folder that does not exist or is empty → number of its files, which are gone but were kept.
    dry_run : bool
        Nothing was changed.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.PruneReport(removed=("a.mid",)).as_dict()
    {'removed': ['a.mid'], 'kept': {}, 'dry_run': False}
    """

    removed: tuple[str, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"removed": list(self.removed), "kept": dict(self.kept), "dry_run": self.dry_run}


@dataclass(frozen=True)
class MoveReport:
    """Result of a move: what was found at the new paths.

    Attributes
    ----------
    moved : int
        Number of files that have a new path now.
    missing : tuple of str
        New paths of those among them that are not there: they are gone.
    changed : tuple of str
        New paths of those among them whose content is not the indexed one: the next `add` embeds them again.
    stayed : tuple of str
        Files that still are at their old paths, which they keep.

    Examples
    --------
    >>> import antiphon
    >>> antiphon.MoveReport(moved=2, missing=("new/a.mid",)).as_dict()
    {'moved': 2, 'missing': ['new/a.mid'], 'changed': [], 'stayed': []}
    """

    moved: int
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    stayed: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


def list_files(store: Store) -> FileList:
    """All recordings of an index with their metadata and their presence, in the order of the paths."""
    about = store.about()
    return FileList(
        tuple(
            IndexedFile(
                one.path,
                one.kind,
                round(one.duration_s, 3),
                presence(one.path),
                **asdict(about.get(one.path, FileMetadata())),
            )
            for one in store.recordings()
        )
    )


def prune_files(store: Store, dry_run: bool = False, whole_folders: bool = False) -> PruneReport:
    """Remove the recordings and failures whose files are gone; only report them in a `dry_run`.

    Files below a root folder that does not exist or is empty are kept, unless `whole_folders` is given: it may have
    moved, or be on a drive that is not mounted.
    """
    roots = store.roots()
    lost = set() if whole_folders else {folder for folder in roots.folders.values() if _is_lost(folder)}
    removed, kept = [], Counter[str]()
    for file in sorted(store.known().keys() | store.failed().keys()):
        if presence(file) == "gone":
            place = roots.split(file)
            root = None if place is None else roots.folders[place[0]]
            if root in lost:
                kept[str(root)] += 1
            else:
                removed.append(file)
    if removed and not dry_run:
        store.remove(removed)
    return PruneReport(tuple(removed), dict(kept), dry_run)


def _is_lost(folder: Path) -> bool:
    """Whether a folder does not exist or is empty, as the place of a drive that is not mounted."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def move_files(store: Store, old: Path, new: Path) -> MoveReport:
    """Record that the files below the folder `old`, or the file `old`, are `new` now; both are absolute.

    Each file is looked for. One that has its indexed size and time is taken to be unchanged; one that has another time
    is read and compared. Raises `AntiphonError` where the index contains no file below `old`, none of them is below
    `new`, or the index contains others at the new paths.
    """
    known = store.known()
    held = known.keys() | store.failed().keys()
    targets = {file: moved_path(file, old, new) for file in sorted(held) if Path(file).is_relative_to(old)}
    if not targets:
        below = ", ".join(map(str, store.roots().folders.values()))
        raise AntiphonError(f"{old}: the index holds no file below it; its files lie below {below}")
    there = {file for file, target in targets.items() if presence(target) != "gone"}
    if not there:
        first = next(iter(targets.values()))
        raise AntiphonError(
            f"{new}: none of the {len(targets)} files below {old} is there, not {first}; nothing was changed"
        )
    stayed = {file for file in targets if file not in there and presence(file) != "gone"}
    moving = {file: target for file, target in targets.items() if file not in stayed}
    states, changed = {}, []
    for file in track([file for file in moving if file in there and file in known], "comparing"):
        target = moving[file]
        with suppress(OSError):
            state, (before, content) = FileState.of(Path(target)), known[file]
            if state == before:
                continue
            if state.size == before.size and content_hash(Path(target)) == content:
                states[target] = state
            else:
                changed.append(target)
    store.write_place()  # so that the roots are written as they are read
    store.relocate(old, new, stayed)
    if states:
        store.touch(states)
    missing = tuple(target for file, target in moving.items() if file not in there)
    return MoveReport(len(moving), missing, tuple(changed), tuple(sorted(stayed)))
