"""Measures of an alignment against true times, and the constant that is taken out of a corpus.

Methods and corpora have constant delays: a filter's, a sound's rise, a Disklavier's. One constant for each method and
corpus, the median error over all its beats, is taken out before anything is counted, and it is reported. A beat without
a time has an infinite error.

`mir_eval.alignment` demands increasing times of all beats. For its measures, times that were not found are interpolated
and the times are made non-decreasing first, so they flatter a method that jumps back; ours count every beat by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOST_S = 0.25
"""A beat off by more than this is lost."""
STRETCH_S = 1.0
"""A lost stretch is a run of lost beats, from the first to the last of which so much time passes or more."""
SURE = 0.9
"""Confidence from which a beat should be right within 50 ms."""
_NEAR_S = 0.05

Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Timed:
    """Estimates of one method on one case: [B] seconds of the recording, true and estimated (NaN: none).

    `confidence` [B] is None for a method without one; `lost` are the stretches that it calls lost.
    """

    name: str
    true_s: Seconds
    estimated_s: Seconds
    confidence: Seconds | None = None
    lost: tuple[tuple[float, float], ...] = ()

    @property
    def late_s(self) -> Seconds:
        """How much later than true each beat is estimated; infinite where it has no estimate."""
        return np.where(np.isnan(self.estimated_s), np.inf, self.estimated_s - self.true_s)


def corpus_constant(cases: Sequence[Timed]) -> float:
    """Seconds that the method is late: the median over all beats of a corpus that have an estimate; 0 without one."""
    late_s = np.concatenate([case.late_s for case in cases]) if cases else np.zeros(0)
    late_s = late_s[np.isfinite(late_s)]
    return float(np.median(late_s)) if len(late_s) else 0.0


def accuracy(cases: Sequence[Timed], constant_s: float) -> dict[str, Any]:
    """Median and 90th percentile of the absolute error in ms (None: infinite), and shares of the beats in percent."""
    error_s = np.abs(np.concatenate([case.late_s for case in cases]) - constant_s)
    return {
        "beats": len(error_s),
        "median_ms": _ms(np.median(error_s)),
        "p90_ms": _ms(np.quantile(error_s, 0.9, method="higher")),
        "within_10_ms": _percent(error_s <= 0.01),
        "within_50_ms": _percent(error_s <= _NEAR_S),
        "off_by_more_than_250_ms": _percent(error_s > LOST_S),
        "without_a_time": _percent(np.isinf(error_s)),
    }


def calibration(cases: Sequence[Timed], constant_s: float) -> dict[str, Any]:
    """How far confidence and lost stretches are right; percentages are None where there is nothing to count.

    `sure_within_50_ms`: of the beats with a confidence of 0.9 or more; `sure`: how many of all beats these are.
    `lost_flagged`: of the lost stretches, those of which half or more lies in what the method calls lost.
    `lost_falsely`: of the time that it calls lost, the share without a lost beat.
    """
    scored = [case for case in cases if case.confidence is not None]
    if not scored:
        return {}
    sure = np.concatenate([case.confidence >= SURE for case in scored if case.confidence is not None])
    near = np.concatenate([np.abs(case.late_s - constant_s) <= _NEAR_S for case in scored])
    stretches = [(stretch, case.lost) for case in scored for stretch in lost_stretches(case, constant_s)]
    flagged = [covered_s(stretch, lost) >= 0.5 * (stretch[1] - stretch[0]) for stretch, lost in stretches]
    called = [(one, case) for case in scored for one in case.lost]
    right = [_holds_lost_beat(one, case, constant_s) for one, case in called]
    length_s = np.array([end_s - begin_s for (begin_s, end_s), _ in called])
    return {
        "sure": _percent(sure),
        "sure_within_50_ms": _percent(near[sure]),
        "lost_stretches": len(stretches),
        "lost_flagged": _percent(np.array(flagged, bool)),
        "called_lost": len(called),
        "lost_falsely": 100.0 * float(length_s @ ~np.array(right)) / float(length_s.sum()) if called else None,
    }


def lost_stretches(case: Timed, constant_s: float) -> list[tuple[float, float]]:
    """From when to when runs of lost beats last, in true seconds; runs shorter than 1 s are left out.

    >>> true_s = np.arange(6.0)
    >>> lost_stretches(Timed("", true_s, true_s + [0, 0, 1, 1, np.nan, 0]), 0.0)
    [(2.0, 4.0)]
    """
    order = np.argsort(case.true_s, kind="stable")
    times, lost = case.true_s[order], np.abs(case.late_s[order] - constant_s) > LOST_S
    edges = np.flatnonzero(np.diff(np.concatenate([[False], lost, [False]]).astype(np.int8)))
    runs = [(float(times[first]), float(times[last - 1])) for first, last in edges.reshape(-1, 2)]
    return [(begin_s, end_s) for begin_s, end_s in runs if end_s - begin_s >= STRETCH_S]


def covered_s(stretch: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    """Seconds of a stretch that lie in any of the others.

    >>> covered_s((0.0, 10.0), [(-1.0, 2.0), (1.0, 3.0), (9.0, 20.0)])
    4.0
    """
    total = 0.0
    reached = stretch[0]
    for begin_s, end_s in sorted(others):
        begin_s, end_s = max(begin_s, reached), min(end_s, stretch[1])
        if end_s > begin_s:
            total += end_s - begin_s
            reached = end_s
    return total


def of_mir_eval(cases: Sequence[Timed], constant_s: float) -> dict[str, Any]:
    """The measures of `mir_eval.alignment`, the mean over cases; empty where mir_eval is not installed.

    Shares are in percent, errors in ms. A case without any estimate counts with 0 % and is left out of the errors.
    """
    if find_spec("mir_eval") is None:
        return {}
    from mir_eval import alignment

    rows = []
    for case in cases:
        true_s, estimated_s = monotonic(case, constant_s)
        rows.append(alignment.evaluate(true_s, estimated_s) if len(true_s) > 1 else {})
    names = sorted({name for row in rows for name in row})
    means: dict[str, Any] = {}
    for name in names:
        values = [row[name] for row in rows if name in row]
        if name in ("mae", "aae"):
            means[f"{name}_ms"] = _ms(np.mean(values))
        else:
            means[name] = 100.0 * float(np.sum(values)) / len(rows)
    return means


def monotonic(case: Timed, constant_s: float) -> tuple[Seconds, Seconds]:
    """True and estimated times as mir_eval wants them: true ones increasing, estimates interpolated, not decreasing,
    none below 0. Empty for a case without any estimate."""
    true_s, first = np.unique(case.true_s, return_index=True)
    estimated_s = case.estimated_s[first] - constant_s
    known = np.isfinite(estimated_s)
    if not known.any():
        return np.zeros(0), np.zeros(0)
    filled = np.interp(true_s, true_s[known], estimated_s[known])
    return true_s, np.maximum.accumulate(np.maximum(filled, 0.0))


def _holds_lost_beat(stretch: tuple[float, float], case: Timed, constant_s: float) -> bool:
    inside = (case.true_s >= stretch[0]) & (case.true_s <= stretch[1])
    if not inside.any():
        return True  # no beat says that it is wrong
    return bool((np.abs(case.late_s[inside] - constant_s) > LOST_S).any())


def _percent(hits: NDArray[np.bool_]) -> float | None:
    return 100.0 * float(np.mean(hits)) if len(hits) else None


def _ms(seconds: Any) -> float | None:
    return 1000.0 * float(seconds) if np.isfinite(seconds) else None
