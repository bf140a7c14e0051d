"""Metadata of the files of an index: composer, title, split, and the work that they perform.

It comes from the table of the MAESTRO folder that contains a file, and from the user: a CSV table with the columns
`file` (a path relative to the folder of the table, or a bare file name), `work` and optionally `composer`, `title`,
`split`; or the word `folders`, where the files of each folder perform one work.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

from antiphon.corpora import maestro
from antiphon.errors import UnreadableInput
from antiphon.io.csv_tables import read_csv
from antiphon.io.kinds import without_suffix

Works = str | Path
"""A table, or the word `folders`."""


@dataclass(frozen=True)
class FileMetadata:
    """Metadata of a file; empty where it is not known."""

    composer: str = ""
    title: str = ""
    split: str = ""
    work: str = ""

    def updated(self, newer: FileMetadata) -> FileMetadata:
        """A copy in which the fields that `newer` has replace the old ones.

        >>> FileMetadata(composer="Satie", work="first").updated(FileMetadata(work="second"))
        FileMetadata(composer='Satie', title='', split='', work='second')
        """
        return FileMetadata(*(new or old for old, new in zip(astuple(self), astuple(newer), strict=True)))


def work_of(path: str, about: Mapping[str, FileMetadata]) -> str:
    """The work that a file performs; where it is not known, the path without suffix, which audio and notes share.

    >>> work_of("/music/suite no. 1.mid", {})
    '/music/suite no. 1'
    """
    return about.get(path, FileMetadata()).work or str(without_suffix(Path(path)))


def describe(
    files: Collection[Path], works: Works | None = None
) -> tuple[dict[Path, FileMetadata], list[UnreadableInput]]:
    """Read the metadata of files; `works` takes precedence over MAESTRO's tables. Returns the faulty tables as well.

    Raises `UnreadableInput` for a CSV table that cannot be read, or that names none of the files.
    """
    found, faults = _from_maestro(files)
    if works == "folders":
        named = {path: FileMetadata(work=str(path.parent)) for path in files}
    elif works is not None:
        named, unknown = _from_csv(Path(works), files)
        faults += unknown
    else:
        named = {}
    return found | {path: found.get(path, FileMetadata()).updated(about) for path, about in named.items()}, faults


def _from_maestro(files: Collection[Path]) -> tuple[dict[Path, FileMetadata], list[UnreadableInput]]:
    """Metadata from the nearest table above each file that names it, with any suffix."""
    found: dict[Path, FileMetadata] = {}
    faults: list[UnreadableInput] = []
    tables: dict[Path, Mapping[Path, FileMetadata]] = {}
    for path in files:
        for folder in path.parents:
            if folder not in tables:
                try:
                    tables[folder] = _read_maestro(folder)
                except UnreadableInput as error:
                    faults.append(error)
                    tables[folder] = {}
            if about := tables[folder].get(path.with_suffix("")):
                found[path] = about
                break
    return found, faults


def _read_maestro(folder: Path) -> dict[Path, FileMetadata]:
    """File without suffix → metadata from the table of the folder; empty where it has no table."""
    table = maestro.find_table(folder)
    named = {}
    for row in [] if table is None else maestro.read_table(table):
        composer, title, split = (row[name] or "" for name in ("canonical_composer", "canonical_title", "split"))
        about = FileMetadata(composer, title, split, maestro.work_of(row))
        for file in (row["midi_filename"], row["audio_filename"]):
            if file:
                named[(folder / file).with_suffix("")] = about
    return named


def _from_csv(table: Path, files: Collection[Path]) -> tuple[dict[Path, FileMetadata], list[UnreadableInput]]:
    by_name = defaultdict(list)
    for path in files:
        by_name[path.name].append(path)
    known, folder = set(files), table.resolve().parent
    found: dict[Path, FileMetadata] = {}
    rows = read_csv(table, "table of works", ("file", "work"))
    missed = []
    for row in rows:
        file = row["file"] or ""
        path = Path(os.path.normpath(folder / file))  # files that are links are held under their own names
        named = [path] if path in known else by_name[file]
        if not named:
            missed.append(file)
        about = FileMetadata(*(row.get(column) or "" for column in ("composer", "title", "split", "work")))
        found |= dict.fromkeys(named, about)
    if not found:
        raise UnreadableInput(table, f"none of its {len(rows)} rows names a file that is being indexed")
    if not missed:
        return found, []
    return found, [UnreadableInput(table, f"{len(missed)} of its {len(rows)} rows name no file, first {missed[0]!r}")]
