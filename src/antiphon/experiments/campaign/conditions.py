"""The gain of each arm over D0, over the number of recording conditions in training: a table, slopes and a plot.

Runs of one seed have the same conditions, batches and initial weights, so differences are taken seed by seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from antiphon.experiments.campaign.plots import DPI, OURS, PAPER, REFERENCE_COLOUR, save_plot
from antiphon.experiments.campaign.results import Results, S
from antiphon.experiments.campaign.statistics import Group, PairedDifference, number_at, paired_difference
from antiphon.experiments.campaign.tables import p_text
from antiphon.experiments.published import REFERENCE
from antiphon.experiments.reporting import Block, Bullets, Heading, Paragraph, Picture, Table, cell
from antiphon.training.variants import CONDITION_VARIANTS

_PLOT = "plots/conditions.png"
_COLOURS = (OURS, "#2f855a", "#7c3aed", "#b83280", "#6b7280")


@dataclass(frozen=True)
class Curve:
    """The differences S − S of D0 of one arm: `differences[count][seed]`; `paper` is the paper's gain."""

    label: str
    differences: dict[int, dict[int, float]]
    paper: float | None

    def at(self, count: int) -> PairedDifference:
        """The difference at a number of conditions."""
        return paired_difference(list(self.differences[count].values()))

    @property
    def slopes(self) -> list[float]:
        """For each seed with every number of conditions, the regression of its difference on log2 of the number."""
        counts = sorted(self.differences)
        seeds = set.intersection(*(set(by_seed) for by_seed in self.differences.values()))
        if len(counts) < 2:
            return []
        return [
            float(np.polyfit(np.log2(counts), [self.differences[count][seed] for count in counts], 1)[0])
            for seed in sorted(seeds)
        ]


def curves(results: Results) -> list[Curve]:
    """The curve of every arm that has runs under conditions with a D0 of the same seed, best first."""
    found: dict[str, Curve] = {}
    for group in results.groups:
        count, reference = CONDITION_VARIANTS.get(group.setting.variant or ""), results.reference(group)
        if count is None or reference is None or group.arm == REFERENCE:
            continue
        ours, theirs = _by_seed(group), _by_seed(reference)
        differences = {seed: ours[seed] - theirs[seed] for seed in sorted(ours) if seed in theirs}
        if differences:
            label = results.label(group, without="variant")
            curve = found.setdefault(label, Curve(label, {}, results.paper_gain(group)))
            curve.differences[count] = differences
    ordered = (replace(one, differences=dict(sorted(one.differences.items()))) for one in found.values())
    return sorted(ordered, key=lambda one: (-one.at(max(one.differences)).mean, one.label))


def conditions_blocks(results: Results, folder: Path) -> list[Block]:
    """The section of a report, and its plot below `folder`; empty without runs under conditions."""
    found = curves(results)
    if not found:
        (folder / _PLOT).unlink(missing_ok=True)
        return []
    _draw(folder / _PLOT, found)
    text = (
        "S of an arm minus S of D0 with the same seed, and so with the same conditions, batches and initial weights:"
        " mean over seeds, and 95 % interval and p of a paired t-test."
    )
    slope_text = "Change of this difference when the number of conditions doubles, by a regression for each seed."
    slopes = [
        f"{one.label}: {cell(change.mean, 2, signed=True)}{_interval_text(change, 2)} (n = {change.n})"
        for one in found
        if one.slopes
        for change in (paired_difference(one.slopes),)
    ]
    caption = "Gain over D0 over the number of recording conditions in training; bars are 95 % intervals over seeds."
    blocks: list[Block] = [Heading("Recording conditions"), Paragraph(text), _table(found), Picture(_PLOT, caption)]
    return [*blocks, Paragraph(slope_text), Bullets(slopes)] if slopes else blocks


def _by_seed(group: Group) -> dict[int, float]:
    scores = ((record["seed"], number_at(record, *S)) for record in group.records)
    return {seed: s for seed, s in scores if s is not None}


def _table(found: Sequence[Curve]) -> Table:
    rows = []
    for curve in found:
        for count in curve.differences:
            change = curve.at(count)
            row = [curve.label, str(count), str(change.n), cell(change.mean, signed=True)]
            rows.append([*row, _interval_text(change).strip(), p_text(change.p), cell(curve.paper, signed=True)])
    return Table(["arm", "conditions", "seeds", "to D0", "95 % interval", "p", "to D0 in the paper"], rows)


def _interval_text(change: PairedDifference, decimals: int = 1) -> str:
    if change.interval is None:
        return ""
    low, high = (cell(end, decimals, signed=True) for end in change.interval)
    return f" [{low}, {high}]"


def _draw(path: Path, found: Sequence[Curve]) -> None:
    """Write a PNG: mean differences with their intervals, single seeds, and the paper's gains as dashed lines."""
    figure = Figure(figsize=(8.5, 5.0), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    counts = sorted({count for curve in found for count in curve.differences})
    for number, curve in enumerate(found):
        colour = _COLOURS[number % len(_COLOURS)]
        x = [math.log2(count) + 0.06 * (number - (len(found) - 1) / 2) for count in curve.differences]
        changes = [curve.at(count) for count in curve.differences]
        axes.plot(x, [change.mean for change in changes], "o-", color=colour, markersize=5, label=curve.label)
        for place, change, by_seed in zip(x, changes, curve.differences.values(), strict=True):
            axes.plot([place] * len(by_seed), list(by_seed.values()), "_", color=colour, alpha=0.6, markersize=8)
            if change.interval is not None:
                axes.plot([place, place], change.interval, color=colour, alpha=0.45, linewidth=3)
    axes.axhline(0.0, color=REFERENCE_COLOUR, linewidth=1)
    for gain in sorted({curve.paper for curve in found if curve.paper is not None}):
        names = ", ".join(curve.label for curve in found if curve.paper == gain)
        axes.axhline(gain, color=PAPER, linewidth=1, linestyle="--", zorder=0)
        axes.text(
            0.0,
            gain,
            f"{names} in the paper",
            transform=axes.get_yaxis_transform(),
            color=PAPER,
            fontsize=8,
            va="bottom",
        )
    axes.set_xticks([math.log2(count) for count in counts], [str(count) for count in counts])
    axes.set_xlabel("recording conditions in training")
    axes.set_ylabel("S − S of D0, percentage points")
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    save_plot(figure, path)
