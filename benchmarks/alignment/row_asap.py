"""ASAP: quantised scores against rendered performances of MAESTRO, at the beats that fall on a note."""

from __future__ import annotations

import numpy as np

from benchmarks.alignment.asap_pieces import read_pieces
from benchmarks.alignment.cases import cases_of
from benchmarks.alignment.measures import Timed, accuracy
from benchmarks.alignment.rows import Result, Row, Setting, measured, run_methods

_QUICK_PIECES = 2  # the shortest


def _run(setting: Setting) -> Result:
    assert setting.asap is not None
    assert setting.maestro is not None
    found = read_pieces(setting.asap, setting.maestro, setting.splits, setting.without, setting.pieces, setting.seed)
    pieces, soundfonts = found.pieces, setting.soundfonts
    if setting.quick:
        pieces = tuple(sorted(pieces, key=lambda one: one.duration_s)[:_QUICK_PIECES])
        soundfonts = soundfonts[:1]
    cases = list(cases_of(pieces, soundfonts, setting.conditions, setting.cache))
    results = run_methods(setting.aligners, cases)
    ceiling = [Timed(one.folder, one.performance_s, one.median_s) for one in pieces]
    return {
        "splits": list(setting.splits),
        "pieces": [one.folder for one in pieces],
        "dropped": list(found.dropped),
        "recordings": len(cases),
        "hours": round(sum(case.duration_s for case in cases) / 3600.0, 2),
        "beats": int(np.sum([len(case.notes_s) for case in cases])),
        "methods": {name: measured(one, cases) for name, one in results.items()},
        # How far the annotations lie from the median of the performed onsets: no method can be more exact.
        "ceiling": accuracy(ceiling, 0.0),
    }


ROW = Row(
    "asap",
    "ASAP's scores against one rendered MAESTRO performance of each, beats that fall on a note",
    ("asap", "maestro"),
    _run,
    {
        "median_ms": ("<=", 3.0),
        "within_10_ms": (">=", 85.0),
        "within_50_ms": (">=", 97.0),
        "off_by_more_than_250_ms": ("<=", 0.5),
        "sure_within_50_ms": (">=", 99.0),
        "lost_flagged": (">=", 95.0),
    },
)
