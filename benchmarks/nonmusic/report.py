"""Counts of what was found, and reliability: the stated confidence against the share of right matches, in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from antiphon.alignment.confidence import LIKELY
from benchmarks.nonmusic.kinds import KINDS
from benchmarks.nonmusic.running import Answer
from benchmarks.report import markdown_table
from benchmarks.search.scoring import wilson_95

BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.0)
"""Edges of the bins of confidence; a confidence of 1 belongs to the last bin."""


def reliability(confidences: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """For each bin its edges, the number of matches, their mean confidence and the share of right ones.

    >>> bins = reliability([0.05, 0.95, 0.97], [False, True, False])
    >>> [(one["count"], one["right"]) for one in bins if one["count"]]
    [(1, 0.0), (2, 0.5)]
    """
    found = []
    for low, high in pairwise(BINS):
        own = [
            (stated, is_right)
            for stated, is_right in zip(confidences, right, strict=True)
            if low <= stated < high or stated == high == BINS[-1]
        ]
        stated = sum(one for one, _ in own) / len(own) if own else None
        share = sum(is_right for _, is_right in own) / len(own) if own else None
        found.append({"from": low, "to": high, "count": len(own), "stated": stated, "right": share})
    return found


def summary(answers: Mapping[str, Sequence[Answer]]) -> dict[str, Any]:
    """For each kind: queries, found, refused, its Wilson interval, the highest confidence and seconds per query."""
    counted = {}
    for kind, given in answers.items():
        found = sum(one.confidence >= LIKELY for one in given)
        counted[kind] = {
            "queries": len(given),
            "found": found,
            "interval_95": [round(edge, 2) for edge in wilson_95(found, len(given))],
            "without_match": sum(not one.file for one in given),
            "refused": sum(bool(one.refused) for one in given),
            "highest": max((one.confidence for one in given), default=0.0),
            "seconds": round(sum(one.seconds for one in given) / max(len(given), 1), 3),
            "bins": [one["count"] for one in reliability([a.confidence for a in given], [False] * len(given))],
            "may_occur": KINDS[kind].may_occur,
        }
    return counted


def found_as_markdown(libraries: Mapping[str, Mapping[str, Any]]) -> str:
    """The counts of all libraries as a table, one line a kind: found of queries, and the highest confidence."""
    kinds = list(dict.fromkeys(kind for counted in libraries.values() for kind in counted))
    rows = [
        (
            kind + (" *" if KINDS[kind].may_occur else ""),
            *(_found(counted.get(kind)) for counted in libraries.values()),
        )
        for kind in kinds
    ]
    strict = [kind for kind in kinds if not KINDS[kind].may_occur]
    rows.append(("all without *", *(_total(counted, strict) for counted in libraries.values())))
    return markdown_table(("kind", *(f"{name}: found, highest" for name in libraries)), rows)


def _found(counted: Mapping[str, Any] | None) -> str:
    return "" if counted is None else f"{counted['found']} of {counted['queries']}, {counted['highest']:.2f}"


def _total(counted: Mapping[str, Any], kinds: Sequence[str]) -> str:
    own = [counted[kind] for kind in kinds if kind in counted]
    highest = max((one["highest"] for one in own), default=0.0)
    return f"{sum(one['found'] for one in own)} of {sum(one['queries'] for one in own)}, {highest:.2f}"


def reliability_as_markdown(kinds: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A line per kind: in each bin the share of right matches and their number."""
    edges = [f"{low:g} to {high:g}" for low, high in pairwise(BINS)]
    rows = [
        (kind, *(f"{100 * one['right']:.0f} % of {one['count']}" if one["count"] else "" for one in bins))
        for kind, bins in kinds.items()
    ]
    return markdown_table(("queries", *edges), rows)
