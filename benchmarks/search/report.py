"""Results as Markdown: a table of rows with their target figures, and a table of peers on the same queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report import markdown_table
from benchmarks.search.tasks import ROWS

_COLUMNS = ("row", "library", "queries", "measure", "%", "95 %", "bar, %", "met", "s per query, p50 / p95")
_PEER_COLUMNS = ("row", "who", "library", "queries", "measure", "%", "95 %", "s per query, p50 / p95")


def rows_as_markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The results of all rows in the order of `ROWS`; unknown rows come last."""
    order = [row.name for row in ROWS]
    lines: list[tuple[str, ...]] = []
    for name in sorted(rows, key=lambda name: order.index(name) if name in order else len(order)):
        row = rows[name]
        library, seconds = row["library"], row["seconds"]
        head = (name, f"{library['recordings']} ({library['hours']:.0f} h)")
        times = _times(seconds)
        for measure, facts in row["measures"].items():
            bar = f"{'≤' if facts['at_most'] else '≥'} {facts['bar']:g}" if "bar" in facts else ""
            met = ("yes" if facts["met"] else "no") if "met" in facts else ""
            lines.append((*head, str(facts["of"]), measure, *_share(facts), bar, met, times))
            head, times = ("", ""), ""
        if "bar" in seconds:
            bar = "≤ {:g} / {:g} s".format(*seconds["bar"])
            met = "yes" if seconds["met"] else "no"
            lines.append((*head, str(row["queries"]), "seconds per query", "", "", bar, met, times))
    return markdown_table(_COLUMNS, lines)


def peers_as_markdown(peers: Sequence[Mapping[str, Any]]) -> str:
    """The measures with a target figure, for every row and every peer that ran it."""
    lines = []
    for one in sorted(peers, key=lambda one: one["row"]):
        barred = {name: facts for name, facts in one["measures"].items() if "bar" in facts}
        for measure, facts in barred.items():
            where = (one["row"], one["peer"], str(one["library"]), str(facts["of"]))
            lines.append((*where, measure, *_share(facts), _times(one["seconds"])))
    return markdown_table(_PEER_COLUMNS, lines)


def _share(facts: Mapping[str, Any]) -> tuple[str, str]:
    if facts["percent"] is None:
        return "–", "–"
    low, high = facts["interval_95"]
    return f"{facts['percent']:.1f}", f"[{low:.1f}, {high:.1f}]"


def _times(seconds: Mapping[str, Any]) -> str:
    return f"{seconds['p50']:.2f} / {seconds['p95']:.2f}"
