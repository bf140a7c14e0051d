"""Pictures of a suspect pair: the deviation of the recording's times from those of the notes, over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from antiphon.experiments.check.evidence import Evidence
from antiphon.experiments.check.findings import Finding

_AROUND_MS = 60.0


def draw_deviation(path: Path, title: str, evidence: Evidence, findings: Sequence[Finding]) -> None:
    """Write a PNG: a point for each sure note, the fitted line, the lost stretches shaded, and the jumps marked."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    axes = figure.subplots()
    words = "; ".join(f"{finding.kind}: {finding.text}" for finding in findings)
    axes.set_title(f"{title}\n{words}", loc="left", fontsize=9, parse_math=False, wrap=True)
    _draw(axes, evidence)
    axes.set_xlabel("seconds in the recording")
    axes.set_ylabel("recording − notes, ms")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _draw(axes: Axes, evidence: Evidence) -> None:
    clocks = evidence.clocks
    axes.set_xlim(0, evidence.recording_s)
    axes.axhline(0, color="0.6", linewidth=0.8)
    for number, (begin_s, end_s) in enumerate(evidence.lost):
        axes.axvspan(begin_s, end_s, color="tab:red", alpha=0.15, label="lost" if number == 0 else None)
    if len(clocks) == 0:
        axes.text(0.5, 0.5, "no note is sure", transform=axes.transAxes, ha="center")
        return
    deviation_ms = 1e3 * clocks.deviation_s
    axes.plot(clocks.time_s + clocks.deviation_s, deviation_ms, ".", markersize=3, color="tab:blue", label="note")
    if evidence.one_clock:
        for level in range(len(clocks.levels_s)):
            ends_s = np.array([edge(clocks.time_s[clocks.level == level]) for edge in (np.min, np.max)])
            line_s = clocks.line_s(ends_s, level)
            label = "fitted line" if level == 0 else None
            axes.plot(ends_s + line_s, 1e3 * line_s, color="tab:orange", linewidth=1.5, label=label)
        for number, jump in enumerate(clocks.jumps):
            axes.axvline(
                sum(jump.recording_s) / 2, color="tab:red", linestyle="--", label="jump" if number == 0 else None
            )
        on_level = deviation_ms[clocks.level >= 0]
        if len(on_level):
            axes.set_ylim(on_level.min() - _AROUND_MS, on_level.max() + _AROUND_MS)
    axes.legend(loc="best")
