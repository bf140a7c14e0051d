"""ASAP: quantised scores, and the stretches of MAESTRO performances that play them.

Source: Foscarin et al., "ASAP: a dataset of aligned scores and performances for piano transcription" (ISMIR 2020);
`metadata.csv` has one row per performance. Times are seconds of the MAESTRO file. An empty start stands for the
beginning of the file, an empty end for its end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import UnreadableInput
from antiphon.io.csv_tables import read_csv

_COLUMNS = ("folder", "midi_score", "maestro_midi_performance", "start", "end")
_PREFIX = "{maestro}/"
_REPEATS = re.compile(r"_(?:(?:no|extra)_(?:[a-z0-9]+_)?)?repeat$")


@dataclass(frozen=True)
class Performance:
    """Seconds `start_s` to `end_s` of the MAESTRO recording `id`, its path without suffix, play the work `folder`."""

    id: str
    folder: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Asap:
    """The score of each work by the work's folder, and the performances that MAESTRO has."""

    scores: Mapping[str, Path]
    performances: tuple[Performance, ...]


def work_of(folder: str) -> str:
    """The work of a folder's score; editions with and without repeats belong to one work.

    >>> work_of("Schumann/Kreisleriana/1_no_first_repeat"), work_of("Schumann/Toccata_repeat"), work_of("Bach/Fugue")
    ('Schumann/Kreisleriana/1', 'Schumann/Toccata', 'Bach/Fugue')
    """
    return _REPEATS.sub("", folder)


def read_asap(root: Path) -> Asap:
    """Read `metadata.csv` of an ASAP folder. `end_s` is infinite where a performance lasts to the end of its file.

    Raises `UnreadableInput` for another kind of table, a missing score, two scores of one folder, a time that is not a
    number, and a stretch that ends before it begins.
    """
    table = root / "metadata.csv"
    scores: dict[str, Path] = {}
    performances = []
    for number, row in enumerate(read_csv(table, "table of ASAP", _COLUMNS), start=2):
        if empty := [name for name in ("folder", "midi_score") if not row[name]]:
            raise UnreadableInput(table, f"row {number} has no value in column {', '.join(empty)}")
        folder, score = row["folder"], root / row["midi_score"]
        if folder not in scores and not score.is_file():
            raise UnreadableInput(score, f"named in {table.name} but missing")
        if scores.setdefault(folder, score) != score:
            raise UnreadableInput(table, f"row {number} gives {folder} a second score, {row['midi_score']}")
        if not (played := row["maestro_midi_performance"]):
            continue
        id_ = Path(played.removeprefix(_PREFIX)).with_suffix("").as_posix()
        start_s, end_s = _seconds(table, number, row["start"], 0.0), _seconds(table, number, row["end"], math.inf)
        if not 0 <= start_s < end_s:
            raise UnreadableInput(table, f"row {number} plays from second {start_s:g} to {end_s:g}")
        performances.append(Performance(id_, folder, start_s, end_s))
    if not scores:
        raise UnreadableInput(table, "it names no score")
    return Asap(scores, tuple(performances))


def _seconds(table: Path, number: int, text: str | None, otherwise: float) -> float:
    try:
        return float(text) if text else otherwise
    except ValueError:
        raise UnreadableInput(table, f"row {number} has {text!r} where a time in seconds belongs") from None
