"""When an answer is right, and how often answers are, with what is known of that figure.

Conventions. Only the best hit counts. Its place is right when the hit lies in the query's own file and begins within
0.5 s of where the stretch that it covers begins there; `or_repeat`, also where that file plays the same notes again
(`antiphon.evaluation.repeats`). A hit below `antiphon.alignment.confidence.LIKELY` means "nothing found": an answer
that is right all the same counts as right where only the best hit is asked for, and not where it has to be sure. A
query that search refuses counts as nothing found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.evaluation.repeats import is_repeat
from antiphon.io.notes import read_notes
from benchmarks.search.queries import Answer, Asked, Found, Library, Query

NEAR_S = 0.5
_ROUNDING_S = 1e-6
_Z_95 = 1.959964


@dataclass(frozen=True)
class Judged:
    """A query, its answer, and in what respects that is right; `sure` says whether it counts as found."""

    query: Query
    answer: Answer
    performance: bool
    place: bool
    place_or_repeat: bool
    work: bool
    sure: bool


def judge(query: Query, answer: Answer, library: Library, likely: float) -> Judged:
    """Hold an answer against the truth. A hit without a confidence is sure."""
    found = answer.found
    if found is None:
        return Judged(query, answer, False, False, False, False, False)
    sure = found.confidence is None or found.confidence >= likely
    file = str(Path(found.file))
    performance = file == query.file
    off_s = _off_s(query, found) if performance else math.inf
    place = off_s <= NEAR_S + _ROUNDING_S
    work = library.work_of(file) == library.work_of(query.file)
    return Judged(query, answer, performance, place, place or _is_repeat(query, found, off_s), work, sure)


def _off_s(query: Query, found: Found) -> float:
    """How far from its place a hit in the right file begins; it may cover the later part of the query alone."""
    if query.file_s is None:
        return math.inf
    return abs(found.start_s - (query.file_s + found.query_start_s - query.start_s))


def _is_repeat(query: Query, found: Found, off_s: float) -> bool:
    if not math.isfinite(off_s) or query.file_s is None:
        return False
    other_s = found.start_s - (found.query_start_s - query.start_s)
    notes = read_notes(query.path if query.against == "audio" else query.file)
    return is_repeat(notes, query.file_s, other_s, query.length_s, NEAR_S)


def wilson_95(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, in percent; all there is to know of no trials is 0 to 100.

    Wilson, "Probable inference, the law of succession, and statistical inference" (JASA 22, 1927).

    >>> [round(edge, 2) for edge in wilson_95(95, 100)]
    [88.82, 97.85]
    """
    if not 0 <= count <= of:
        raise ValueError(f"{count} of {of} is no share")
    if of == 0:
        return 0.0, 100.0
    share, z2 = count / of, _Z_95**2 / of
    middle = share + z2 / 2
    half = _Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of))
    low, high = ((middle + sign * half) / (1 + z2) for sign in (-1, 1))
    return 100 * max(0.0, low), 100 * min(1.0, high)


@dataclass(frozen=True)
class Measure:
    """Something to count among some of the queries.

    `bar` in percent is what is asked for: at least so much, or at most where what is counted is `wrong`. A query that
    goes against a measure with a bar is a miss.
    """

    name: str
    counts: Callable[[Judged], bool]
    among: Callable[[Judged], bool] = lambda judged: True
    bar: float | None = None
    wrong: bool = False

    def missed(self, judged: Judged) -> bool:
        """Whether this one goes against a bar."""
        return self.bar is not None and self.among(judged) and self.counts(judged) == self.wrong

    def summary(self, judged: Sequence[Judged]) -> dict[str, Any]:
        """Count, percent, interval; the bar and whether it is met."""
        asked = [one for one in judged if self.among(one)]
        count = sum(self.counts(one) for one in asked)
        percent = 100 * count / len(asked) if asked else None
        facts: dict[str, Any] = {"count": count, "of": len(asked), "percent": percent}
        facts["interval_95"] = [round(edge, 3) for edge in wilson_95(count, len(asked))]
        if self.bar is not None:
            met = percent is not None and (percent <= self.bar if self.wrong else percent >= self.bar)
            facts |= {"bar": self.bar, "at_most": self.wrong, "met": met}
        return facts


def judge_all(asked: Asked, answers: Sequence[Answer], likely: float) -> list[Judged]:
    """Every query with its answer."""
    pairs = zip(asked.queries, answers, strict=True)
    return [judge(query, answer, asked.library, likely) for query, answer in pairs]


def summarise(judged: Sequence[Judged], measures: Sequence[Measure]) -> dict[str, Any]:
    """Each measure by its name, seconds per query, and every miss."""
    seconds = [one.answer.seconds for one in judged]
    p50, p95 = (float(np.quantile(seconds, share)) for share in (0.5, 0.95))
    missed = [one for one in judged if any(measure.missed(one) for measure in measures)]
    return {
        "queries": len(judged),
        "refused": sum(bool(one.answer.refused) for one in judged),
        "measures": {measure.name: measure.summary(judged) for measure in measures},
        "seconds": {"p50": round(p50, 4), "p95": round(p95, 4), "mean": round(float(np.mean(seconds)), 4)},
        "misses": [_as_miss(one) for one in missed],
    }


def _as_miss(judged: Judged) -> dict[str, Any]:
    query, found = judged.query, judged.answer.found
    facts: dict[str, Any] = {"recording": query.recording, "start_s": query.start_s, "length_s": query.length_s}
    facts |= {"kind": query.kind} if query.kind else {}
    facts["truth"] = None if not query.file else {"file": shortened(query.file), "start_s": query.file_s}
    if found is None:
        return facts | {"found": None, "why": judged.answer.refused or "nothing found"}
    place = {"file": shortened(found.file), "start_s": found.start_s, "query_start_s": found.query_start_s}
    said = {"tempo": found.tempo, "score": found.score, "confidence": found.confidence}
    right = [name for name in ("work", "performance", "place", "place_or_repeat") if getattr(judged, name)]
    return facts | {"found": place | said, "right": right}


def shortened(path: str | Path) -> str:
    """Enough of a path to know the file by, wherever its data lie.

    >>> shortened("/home/me/asap/Bach/Fugue/bwv_846/midi_score.mid")
    'Fugue/bwv_846/midi_score.mid'
    """
    return "/".join(Path(path).parts[-3:])
