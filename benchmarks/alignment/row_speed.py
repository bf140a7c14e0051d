"""Speed: seconds of sound per CPU second on one core, decoding included, all methods in one run."""

from __future__ import annotations

import os

from benchmarks.alignment.aligners import OURS
from benchmarks.alignment.asap_pieces import read_pieces
from benchmarks.alignment.cases import cases_of
from benchmarks.alignment.rows import Result, Row, Setting, align_case

_PIECES, _SHORTEST_S, _LONGEST_S = 5, 60.0, 400.0
TOLD_NOTES = frozenset({"parangonar-notes"})
"""Methods that do not read the recording."""


def _run(setting: Setting) -> Result:
    assert setting.asap is not None
    assert setting.maestro is not None
    found = read_pieces(setting.asap, setting.maestro, setting.splits, setting.without, setting.pieces, setting.seed)
    pieces = sorted(found.pieces, key=lambda one: one.duration_s)
    pieces = [one for one in pieces if _SHORTEST_S <= one.duration_s <= _LONGEST_S] or pieces
    # Evenly from the shortest to the longest.
    count = 1 if setting.quick else min(_PIECES, len(pieces))
    pieces = [pieces[int((number + 0.5) * len(pieces) / count)] for number in range(count)]
    cases = list(cases_of(pieces, setting.soundfonts[:1], setting.conditions[:1], setting.cache))
    shortest = min(cases, key=lambda case: case.duration_s)
    methods: dict[str, Result] = {}
    aligners = [one for one in setting.aligners if one.name not in TOLD_NOTES]
    spent: dict[str, list[float]] = {one.name: [] for one in aligners}
    done_s = dict.fromkeys(spent, 0.0)
    for aligner in aligners:
        align_case(getattr(aligner, "fresh", aligner), shortest)  # loads models and compiles, once for each process
    for case in cases:  # the methods take turns, so that other load on the machine meets all of them
        for aligner in aligners:
            _, aligned = align_case(getattr(aligner, "fresh", aligner), case)
            if aligned is not None:
                spent[aligner.name].append(aligned.seconds)
                done_s[aligner.name] += case.duration_s
    for name, seconds in spent.items():
        methods[name] = {"times_real_time": done_s[name] / sum(seconds) if seconds else None, "cases": len(seconds)}
    own = methods.get(OURS, {}).get("times_real_time")
    peers = [one["times_real_time"] for name, one in methods.items() if name != OURS and one["times_real_time"]]
    if own and peers:
        methods[OURS]["times_fastest_peer"] = own / max(peers)
    return {
        "pieces": [one.folder for one in pieces],
        "minutes": round(sum(case.duration_s for case in cases) / 60.0, 1),
        "threads": os.environ.get("OMP_NUM_THREADS", "not set"),
        "methods": methods,
    }


ROW = Row(
    "speed",
    "Seconds of sound per CPU second, decoding included, one thread, after one warm-up",
    ("asap", "maestro"),
    _run,
    {"times_real_time": (">=", 30.0), "times_fastest_peer": (">=", 3.0)},
)
