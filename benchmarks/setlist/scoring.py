"""Scores of set lists: which pieces are found, how far their ends are off, and whether the rest has its right name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from antiphon import SetList, SetListPiece
from benchmarks.setlist.concerts import Concert, Part

NEAR_S = 1.0
_KINDS = {"silence": "silence", "foreign": "other music"}


def outcome_of(concert: Concert, found: SetList, work_of: Callable[[str], str]) -> dict[str, Any]:
    """The outcome of one concert, as JSON.

    A piece is found by the first line of its work that covers at least half of it; every other line is invented. Of the
    time between the pieces, as it really is, the seconds with each name are counted.
    """
    left = list(found)
    pieces: list[dict[str, Any]] = []
    for part in concert.pieces:
        match = next((one for one in left if work_of(one.file) == part.work and _overlap_s(part, one) > 0.5), None)
        row: dict[str, Any] = {"file": part.file, "found": match is not None}
        if match is not None:
            left.remove(match)
            errors_s = match.query_start_s - part.start_s, match.query_end_s - part.end_s
            row |= {
                "same file": match.file == part.file,
                "errors_s": [round(one, 3) for one in errors_s],
                "file_start_error_s": round(match.start_s - part.file_s, 3),
            }
        pieces.append(row)
    return {
        "concert": concert.path.stem,
        "duration_s": round(found.duration_s, 1),
        "pieces": pieces,
        "invented": [one.as_dict() for one in left],
        "between_s": _names(concert, found),
    }


def _overlap_s(part: Part, one: SetListPiece) -> float:
    """The share of a part that a line covers."""
    return (min(part.end_s, one.query_end_s) - max(part.start_s, one.query_start_s)) / (part.end_s - part.start_s)


def _names(concert: Concert, found: SetList) -> dict[str, dict[str, float]]:
    """Real kind → name that was given → seconds; "piece" and "nothing" where no name was given."""
    given: list[tuple[str, float, float]] = [(gap.kind, gap.start_s, gap.end_s) for gap in found.between]
    given += [("piece", one.query_start_s, one.query_end_s) for one in found]
    table: dict[str, dict[str, float]] = {}
    for part in concert.parts:
        if part.kind == "piece":
            continue
        row = table.setdefault(_KINDS.get(part.kind, "noise"), {})
        rest_s = part.end_s - part.start_s
        for kind, begin_s, end_s in given:
            common_s = max(0.0, min(end_s, part.end_s) - max(begin_s, part.start_s))
            row[kind] = row.get(kind, 0.0) + common_s
            rest_s -= common_s
        row["nothing"] = row.get("nothing", 0.0) + max(rest_s, 0.0)
    return table


def summary(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figures of all concerts."""
    pieces = [piece for one in outcomes for piece in one["pieces"]]
    found = [piece for piece in pieces if piece["found"]]
    errors_s = np.abs([piece["errors_s"] for piece in found])
    table: dict[str, dict[str, float]] = {}
    for one in outcomes:
        for real, row in one["between_s"].items():
            for name, seconds in row.items():
                table.setdefault(real, {})[name] = table.get(real, {}).get(name, 0.0) + seconds
    total_s = sum(sum(row.values()) for row in table.values())
    return {
        "concerts": len(outcomes),
        "hours": round(sum(one["duration_s"] for one in outcomes) / 3600, 2),
        "pieces": len(pieces),
        "pieces found, %": round(100 * len(found) / len(pieces), 1),
        "of them the very file, %": round(100 * float(np.mean([piece["same file"] for piece in found])), 1),
        "invented": sum(len(one["invented"]) for one in outcomes),
        f"ends within {NEAR_S:g} s, %": round(100 * float((errors_s <= NEAR_S).mean()), 1),
        "median error of ends, s": round(float(np.median(errors_s)), 3),
        "largest, s": round(float(errors_s.max()), 2),
        "between: seconds named right, %": round(
            100 * sum(row.get(real, 0.0) for real, row in table.items()) / total_s, 1
        ),
        "seconds of computing a minute of sound": round(
            60 * sum(one["seconds"] for one in outcomes) / sum(one["duration_s"] for one in outcomes), 1
        ),
        "between, seconds": {real: {name: round(s, 1) for name, s in row.items() if s} for real, row in table.items()},
    }
