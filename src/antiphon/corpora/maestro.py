"""MAESTRO v3 as distributed: `maestro-v3.0.0.csv` or `.json`, and a folder per year with MIDI and optional audio.

Source: Hawthorne et al., "Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset" (2019).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from antiphon.corpora import Corpus, CorpusKind, Recording, with_sound_file
from antiphon.errors import UnreadableInput
from antiphon.io.audio import AUDIO_SUFFIXES
from antiphon.io.csv_tables import check_columns, read_csv

_KIND = "MAESTRO table"
_COLUMNS = ("canonical_composer", "canonical_title", "split", "midi_filename", "audio_filename", "duration")


def find_table(folder: Path) -> Path | None:
    """The table of a MAESTRO folder, CSV in preference to JSON; None if there is none."""
    found = sorted(folder.glob("maestro-v*.csv")) or sorted(folder.glob("maestro-v*.json"))
    return found[0] if found else None


def read_table(path: Path) -> list[dict[str, Any]]:
    """Read a MAESTRO table: one dictionary per row, column → text, with None where a row has no value.

    Raises `UnreadableInput` when the file is not such a table.
    """
    if path.suffix == ".csv":
        return read_csv(path, _KIND, _COLUMNS)
    try:
        by_column = json.loads(path.read_text(encoding="utf-8"))
        columns = list(by_column)
        rows = [{name: by_column[name][key] for name in columns} for key in by_column.get(columns[0], {})]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise UnreadableInput(path, f"not a {_KIND} ({type(error).__name__}: {error})") from None
    check_columns(path, _KIND, _COLUMNS, columns)
    return rows


def work_of(row: dict[str, Any]) -> str:
    """Identify the work of a row by composer and title, which all its performances share.

    >>> work_of({"canonical_composer": "Alban Berg", "canonical_title": "Sonata Op. 1"})
    'alban berg | sonata op. 1'
    """
    return f"{row['canonical_composer']} | {row['canonical_title']}".casefold()


def open_maestro(spec: str) -> Corpus:
    """Open a MAESTRO folder. Rows without a MIDI file are skipped and reported; audio is optional, in any format."""
    root = Path(spec)
    table = find_table(root)
    if table is None:
        raise UnreadableInput(root, "no maestro-v*.csv or .json in this folder")
    recordings: list[Recording] = []
    skipped: list[UnreadableInput] = []
    for number, row in enumerate(read_table(table), start=1):
        if empty := [name for name in _COLUMNS if row[name] is None]:
            skipped.append(UnreadableInput(table, f"recording {number} has no value in column {', '.join(empty)}"))
            continue
        notes = root / row["midi_filename"]
        if not notes.exists():
            skipped.append(UnreadableInput(notes, f"named in {table.name} but missing"))
            continue
        try:
            duration_s = float(row["duration"])
        except (TypeError, ValueError):
            duration_s = math.nan
        if not 0 < duration_s < math.inf:
            skipped.append(UnreadableInput(notes, f"its duration in {table.name} is {row['duration']!r}"))
            continue
        # MAESTRO's file names have no further dot, at which with_suffix would cut.
        stem = (root / row["audio_filename"]).with_suffix("")
        audio = next((path for suffix in sorted(AUDIO_SUFFIXES) if (path := stem.with_suffix(suffix)).exists()), None)
        recording = Recording(
            id=Path(row["midi_filename"]).with_suffix("").as_posix(),
            notes_path=notes,
            audio_path=None,
            duration_s=duration_s,
            composer=row["canonical_composer"],
            title=row["canonical_title"],
            split=row["split"],
            work=work_of(row),
        )
        try:
            recordings.append(with_sound_file(recording, audio))
        except UnreadableInput as error:
            skipped.append(error)
    return Corpus(root.name, tuple(recordings), tuple(skipped))


CORPUS_KIND = CorpusKind("maestro", 10, lambda spec: find_table(Path(spec)) is not None, open_maestro)
