"""Results as Markdown: one table for each row of the benchmark, a line for each method and one for the bars."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report import markdown_table

_SKIPPED = ("kinds", "mir_eval", "constants_ms", "most_lost")


def as_markdown(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """All rows, each with its title, its table, and its constants."""
    return "\n\n".join(_row(name, row) for name, row in rows.items())


def _row(name: str, row: Mapping[str, Any]) -> str:
    methods: Mapping[str, Mapping[str, Any]] = row["methods"]
    measures = list(dict.fromkeys(key for one in methods.values() for key in one if key not in _SKIPPED))
    lines = [("bar", *(str(row["bars"].get(measure, {}).get("bar", "")) for measure in measures))]
    lines += [(who, *(_figure(one, measure) for measure in measures)) for who, one in methods.items()]
    text = f"**{name}**: {row['title']}\n\n" + markdown_table(("method", *map(_title, measures)), lines)
    if "ceiling" in row:
        text += f"\n\nThe annotations themselves: {_line(row['ceiling'])}."
    for who, one in methods.items():
        kinds = [f"{kind}: {_line(facts)}" for kind, facts in one.get("kinds", {}).items()]
        if one.get("mir_eval"):
            kinds.append(f"mir_eval: {_line(one['mir_eval'])}")
        text += "".join(f"\n* {who}, {kind}" for kind in kinds)
    unmet = [measure for measure, facts in row["bars"].items() if facts["met"] is False]
    unknown = [measure for measure, facts in row["bars"].items() if facts["met"] is None]
    text += f"\n\nBars not met: {', '.join(map(_title, unmet)) or 'none'}"
    return text + (f"; not measured: {', '.join(map(_title, unknown))}." if unknown else ".")


def _figure(facts: Mapping[str, Any], measure: str) -> str:
    if measure not in facts:
        return ""
    value = facts[measure]
    return "–" if value is None else str(value) if isinstance(value, int) else f"{value:.2f}"


def _line(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{_title(measure)} {_figure(facts, measure)}" for measure in facts)


def _title(measure: str) -> str:
    return measure.replace("_ms", ", ms").replace("_", " ")
