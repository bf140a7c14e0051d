"""Plots that several analyses share: bars, curves and heat maps; ours in blue, the paper's in orange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

OURS, PAPER, REFERENCE = "#1f5fa8", "#c4621b", "#6b7280"
ARM_COLOURS = {"D0": REFERENCE, "d4a4": PAPER, "a4r": "#2e8b57", "d4-a4r": "#8e5ea2"}
"""Colours of the paper's arms in plots of several arms."""
_DARK = 0.55


def new_figure(title: str, width: float = 8.5, height: float = 5.0) -> Figure:
    """An empty figure with a title. Width and height are in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=110)
    figure.suptitle(title, fontsize=11, parse_math=False)  # names of models may contain dollar signs
    return figure


def bars(
    axes: Axes,
    labels: Sequence[str],
    values: Sequence[float | None],
    title: str,
    xlabel: str,
    intervals: Sequence[tuple[float, float] | None] | None = None,
    paper: Sequence[float | None] | None = None,
    lines: Mapping[str, float] | None = None,
) -> None:
    """Horizontal bars, the first at the top. None leaves a gap.

    `intervals` [low, high] are drawn as whiskers, `paper` as diamonds, `lines` as labelled vertical lines.
    """
    drawn = [0.0 if value is None else value for value in values]
    axes.barh(range(len(labels)), drawn, height=0.62, color=OURS, alpha=0.75, label="here")
    for line, interval in enumerate(intervals or ()):
        if interval is not None:
            axes.plot(interval, (line, line), color="black", linewidth=1.2, alpha=0.7)
    marks = [(value, line) for line, value in enumerate(paper or ()) if value is not None]
    if marks:
        axes.plot(*zip(*marks, strict=True), "D", color=PAPER, markersize=6, fillstyle="none", label="paper")
    for style, (label, value) in zip(("--", ":", "-."), (lines or {}).items(), strict=False):
        axes.axvline(value, color=REFERENCE, linewidth=1, linestyle=style, label=f"{label} {value:.3g}")
    axes.set_yticks(range(len(labels)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel(xlabel)
    axes.grid(axis="x", alpha=0.25)
    tidy(axes, title)
    if marks or lines:
        axes.legend(fontsize=7, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


@dataclass(frozen=True)
class Curve:
    """A line of y against x. `band` is an interval [low, high] around each point; the paper's curves are dashed."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    band: Sequence[tuple[float, float]] | None = None
    from_paper: bool = False
    colour: str = OURS


def curves(axes: Axes, lines: Sequence[Curve], title: str, xlabel: str, ylabel: str) -> None:
    """Several curves in one panel, without a legend, so that a figure of several panels can have one for all."""
    for line in lines:
        style = {"linestyle": "--", "marker": "D", "markersize": 4.0, "fillstyle": "none", "linewidth": 1.1}
        if not line.from_paper:
            style = {"linestyle": "-", "marker": "o", "markersize": 4.5, "linewidth": 1.8}
        axes.plot(line.x, line.y, color=line.colour, label=line.label, **style)  # type: ignore[arg-type]
        if line.band is not None:
            low, high = zip(*line.band, strict=True)
            axes.fill_between(line.x, low, high, color=line.colour, alpha=0.18, linewidth=0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.25)
    tidy(axes, title)


def heat_map(
    axes: Axes,
    matrix: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    limits: tuple[float, float] | None = None,
    decimals: int = 2,
) -> None:
    """A matrix [rows, columns] as colours with its numbers; nan stays white. `limits` are those of the colour scale."""
    values = np.asarray(matrix, np.float64)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"a matrix of shape {values.shape} does not fit {len(rows)} rows and {len(columns)} columns")
    finite = values[np.isfinite(values)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0))
    axes.imshow(values, cmap="Blues", vmin=low, vmax=high, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            shade = (value - low) / (high - low) if high > low else 0.0
            colour = "white" if shade > _DARK else "black"
            axes.text(column, row, f"{value:.{decimals}f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_yticks(range(len(rows)), rows, fontsize=8, parse_math=False)
    axes.set_xticks(range(len(columns)), columns, fontsize=8, parse_math=False)
    axes.set_title(title, loc="left", fontsize=9, parse_math=False)


def tidy(axes: Axes, title: str) -> None:
    """The common style of all plots: a small title at the left, no frame at the top and at the right."""
    axes.set_title(title, loc="left", fontsize=9, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)


def descriptor_title(name: str) -> str:
    """The name of a descriptor as in the paper.

    >>> descriptor_title("a4"), descriptor_title("band_energy")
    ('A4', 'band energy')
    """
    return name.upper() if len(name) == 2 else name.replace("_", " ")
