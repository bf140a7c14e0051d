"""Score the best match of each query, and count correct ones with confidence intervals.

Conventions. Only the best match counts. It is localised correctly when it lies in the query's own file and starts
within 0.5 s of the true position of the stretch that it covers. `place_or_repeat` also accepts positions at which that
file repeats the same notes (`antiphon.evaluation.repeats`). A match whose confidence is below
`antiphon.alignment.confidence.LIKELY` means "nothing found": it still counts in measures of the best match, but not in
those that need a confident one (`sure`). A query that the search refuses counts as nothing found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.evaluation.repeats import is_repeat
from antiphon.io.note_files import read_notes
from benchmarks.search.queries import BestMatch, Library, Outcome, Query, QuerySet

TOLERANCE_S = 0.5
_ROUNDING_S = 1e-6
_Z_95 = 1.959964


@dataclass(frozen=True)
class ScoredQuery:
    """A query, its outcome, and the respects in which the best match is correct.

    `performance`: the right file. `place`: also localised. `work`: a file of the right work. `sure`: confident enough
    to count as found.
    """

    query: Query
    outcome: Outcome
    performance: bool
    place: bool
    place_or_repeat: bool
    work: bool
    sure: bool


def score_query(query: Query, outcome: Outcome, library: Library, likely: float) -> ScoredQuery:
    """Compare an outcome with the ground truth. A match without a confidence counts as confident."""
    found = outcome.match
    if found is None:
        return ScoredQuery(query, outcome, False, False, False, False, False)
    sure = found.confidence is None or found.confidence >= likely
    file = str(Path(found.file))
    performance = file == query.file
    error_s = _localisation_error_s(query, found) if performance else math.inf
    place = error_s <= TOLERANCE_S + _ROUNDING_S
    work = library.work_of(file) == library.work_of(query.file)
    return ScoredQuery(query, outcome, performance, place, place or _is_repeat(query, found, error_s), work, sure)


def _localisation_error_s(query: Query, found: BestMatch) -> float:
    """Distance in seconds from the true start. The match may cover only a later part of the query."""
    if query.file_s is None:
        return math.inf
    return abs(_start_of_query_s(query, found) - query.file_s)


def _start_of_query_s(query: Query, found: BestMatch) -> float:
    """Second of the found file at which the query begins; the match itself may begin later in both."""
    return found.start_s - (found.query_start_s - query.start_s) * (found.tempo or 1.0)


def _is_repeat(query: Query, found: BestMatch, error_s: float) -> bool:
    if not math.isfinite(error_s) or query.file_s is None:
        return False
    other_s = _start_of_query_s(query, found)
    notes = read_notes(query.path if query.against == "audio" else query.file)
    return is_repeat(notes, query.file_s, other_s, query.length_s, TOLERANCE_S)


def wilson_95(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion, in percent; 0 to 100 for no trials.

    Wilson, "Probable inference, the law of succession, and statistical inference" (JASA 22, 1927).

    >>> [round(edge, 2) for edge in wilson_95(95, 100)]
    [88.82, 97.85]
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is not a proportion")
    if of == 0:
        return 0.0, 100.0
    share, z2 = count / of, _Z_95**2 / of
    middle = share + z2 / 2
    half = _Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of))
    low, high = ((middle + sign * half) / (1 + z2) for sign in (-1, 1))
    return 100 * max(0.0, low), 100 * min(1.0, high)


@dataclass(frozen=True)
class Measure:
    """The share of the queries selected by `among` for which `counts` holds.

    `bar` is the target in percent: a lower limit, or an upper limit where `wrong` says that errors are counted. A query
    that lowers a measure with a target is listed as a miss.
    """

    name: str
    counts: Callable[[ScoredQuery], bool]
    among: Callable[[ScoredQuery], bool] = lambda scored: True
    bar: float | None = None
    wrong: bool = False

    def missed(self, scored: ScoredQuery) -> bool:
        """Whether this query lowers a measure with a target."""
        return self.bar is not None and self.among(scored) and self.counts(scored) == self.wrong

    def summary(self, scored: Sequence[ScoredQuery]) -> dict[str, Any]:
        """Count, percent and interval; the target and whether it is met."""
        selected = [one for one in scored if self.among(one)]
        count = sum(self.counts(one) for one in selected)
        percent = 100 * count / len(selected) if selected else None
        facts: dict[str, Any] = {"count": count, "of": len(selected), "percent": percent}
        facts["interval_95"] = [round(edge, 3) for edge in wilson_95(count, len(selected))]
        if self.bar is not None:
            met = percent is not None and (percent <= self.bar if self.wrong else percent >= self.bar)
            facts |= {"bar": self.bar, "at_most": self.wrong, "met": met}
        return facts


def score_all(query_set: QuerySet, outcomes: Sequence[Outcome], likely: float) -> list[ScoredQuery]:
    """Score every query with its outcome, in order."""
    pairs = zip(query_set.queries, outcomes, strict=True)
    return [score_query(query, outcome, query_set.library, likely) for query, outcome in pairs]


def summarise(scored: Sequence[ScoredQuery], measures: Sequence[Measure]) -> dict[str, Any]:
    """All measures by name, seconds per query, and all misses."""
    seconds = [one.outcome.seconds for one in scored]
    p50, p95 = (float(np.quantile(seconds, share)) for share in (0.5, 0.95))
    missed = [one for one in scored if any(measure.missed(one) for measure in measures)]
    return {
        "queries": len(scored),
        "refused": sum(bool(one.outcome.refused) for one in scored),
        "measures": {measure.name: measure.summary(scored) for measure in measures},
        "seconds": {"p50": round(p50, 4), "p95": round(p95, 4), "mean": round(float(np.mean(seconds)), 4)},
        "misses": [_as_miss(one) for one in missed],
    }


def _as_miss(scored: ScoredQuery) -> dict[str, Any]:
    query, found = scored.query, scored.outcome.match
    facts: dict[str, Any] = {"recording": query.recording, "start_s": query.start_s, "length_s": query.length_s}
    facts |= {"kind": query.kind} if query.kind else {}
    facts["truth"] = None if not query.file else {"file": short_path(query.file), "start_s": query.file_s}
    if found is None:
        return facts | {"found": None, "why": scored.outcome.refused or "nothing found"}
    place = {"file": short_path(found.file), "start_s": found.start_s, "query_start_s": found.query_start_s}
    details = {"tempo": found.tempo, "score": found.score, "confidence": found.confidence}
    right = [name for name in ("work", "performance", "place", "place_or_repeat") if getattr(scored, name)]
    return facts | {"found": place | details, "right": right}


def short_path(path: str | Path) -> str:
    """The last three parts of a path, which identify a file on any machine.

    >>> short_path("/home/me/asap/Bach/Fugue/bwv_846/midi_score.mid")
    'Fugue/bwv_846/midi_score.mid'
    """
    return "/".join(Path(path).parts[-3:])
