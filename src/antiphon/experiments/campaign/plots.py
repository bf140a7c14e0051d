"""Plots of a campaign: S of every arm with its interval, and our S against the paper's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from antiphon.experiments.reporting import Picture
from antiphon.io.files import atomic_file

OURS, PAPER, REFERENCE_COLOUR = "#1f5fa8", "#c4621b", "#6b7280"
DPI = 110
_RADII = (11, 18, 28, 40, 54, 70, 90)
"""Distances from a point to its label in pixels, in the order of trial."""
_ANGLES = (0, 180, 35, 325, 145, 215, 90, 270)
"""Directions from a point to its label in degrees, in the order of trial."""


@dataclass(frozen=True)
class Mark:
    """One arm: S in percent, its interval [low, high], the S of each run, and the paper's S; None where unknown.

    The interval is mean ± standard deviation over several runs, or the 95 % interval over pieces of one run.
    `reference` marks the arm that the others are compared with.
    """

    label: str
    s: float
    interval: tuple[float, float] | None = None
    values: tuple[float, ...] = ()
    paper: float | None = None
    reference: bool = False


def draw_plots(folder: Path, marks: Sequence[Mark], chance: float | None) -> list[Picture]:
    """Draw the plots that have figures into `folder`/plots. Plots of an earlier report without figures are removed."""
    scores, against = folder / "plots/scores.png", folder / "plots/against-paper.png"
    pictures = []
    if marks:
        draw_scores(scores, marks, chance)
        pictures.append(Picture("plots/scores.png", "S of every arm, best first, with the paper's S."))
    else:
        scores.unlink(missing_ok=True)
    if sum(mark.paper is not None for mark in marks) > 1:
        draw_against_paper(against, marks)
        pictures.append(Picture("plots/against-paper.png", "S here against S in the paper; dashed lines cross at D0."))
    else:
        against.unlink(missing_ok=True)
    return pictures


def draw_scores(path: Path, marks: Sequence[Mark], chance: float | None) -> None:
    """Write a PNG with a row for each arm in the given order: S, interval, single runs, the paper's S, chance level."""
    figure = Figure(figsize=(8.5, 1.5 + 0.3 * len(marks)), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    named: set[str] = set()

    def once(name: str) -> str:
        """The name for the legend at its first use; a leading underscore hides later ones from the legend."""
        label = name if name not in named else f"_{name}"
        named.add(name)
        return label

    for line, mark in enumerate(marks):
        if mark.interval is not None:
            axes.plot(
                mark.interval,
                (line, line),
                color=OURS,
                alpha=0.45,
                linewidth=3,
                label=once("± sd over seeds" if len(mark.values) > 1 else "95 % over pieces"),
            )
        if len(mark.values) > 1:
            axes.plot(
                mark.values, [line] * len(mark.values), "|", color=OURS, markersize=9, label=once("here, one seed")
            )
        if mark.paper is not None:
            axes.plot(mark.paper, line, "D", color=PAPER, markersize=6, fillstyle="none", zorder=3, label=once("paper"))
        axes.plot(mark.s, line, "o", color=OURS, markersize=6, label=once("here"))
        if mark.reference:
            axes.axvline(mark.s, color=REFERENCE_COLOUR, linewidth=1, linestyle="--", zorder=0, label=once("D0 here"))
    if chance is not None:
        low, high = axes.get_xlim()
        if low - chance < high - low:
            axes.axvline(chance, color=REFERENCE_COLOUR, linewidth=1, linestyle=":", zorder=0, label="chance")
        else:  # so far to the left that the arms would be squeezed together
            axes.plot([], [], " ", label=f"(chance: {chance:.1f} %)")
    axes.set_yticks(range(len(marks)), [mark.label for mark in marks], parse_math=False)
    axes.set_ylim(len(marks) - 0.4, -0.6)  # the first arm at the top
    axes.set_xlabel("S: the worse direction's recall at 10, %")
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=6, fontsize=8, frameon=False)
    save_plot(figure, path)


def draw_against_paper(path: Path, marks: Sequence[Mark]) -> None:
    """Write a PNG: our S against the paper's, for the marks with both. Dashed lines cross at the reference."""
    both = [(mark, mark.paper) for mark in marks if mark.paper is not None]
    figure = Figure(figsize=(8.5, 6.5), layout="constrained", dpi=DPI)
    axes = figure.subplots()
    for mark, paper in both:
        colour = REFERENCE_COLOUR if mark.reference else OURS
        if mark.interval is not None:
            axes.plot((paper, paper), mark.interval, color=colour, alpha=0.3, linewidth=2)
        axes.plot(paper, mark.s, "s" if mark.reference else "o", color=colour, markersize=6)
        if mark.reference:
            axes.axvline(paper, color=REFERENCE_COLOUR, linewidth=1, linestyle="--", zorder=0)
            axes.axhline(mark.s, color=REFERENCE_COLOUR, linewidth=1, linestyle="--", zorder=0)
    axes.margins(0.12)
    axes.set_xlabel("S in the paper, %")
    axes.set_ylabel("S here, %")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    _label(figure, axes, [(paper, mark.s, mark.label) for mark, paper in both])
    save_plot(figure, path)


def _label(figure: Figure, axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Write each point's name at the nearest position around it that overlaps neither points nor other names."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]  # places the axes, on which pixels depend
    at = [axes.transData.transform((x, y)) for x, y, _ in points]
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in at]
    inside, renderer = axes.get_window_extent(), canvas.get_renderer()  # type: ignore[no-untyped-call]
    for x, y, name in sorted(points, key=lambda point: (-point[1], point[0], point[2])):
        for radius, angle in itertools.product(_RADII, _ANGLES):
            dx, dy = radius * math.cos(math.radians(angle)), radius * math.sin(math.radians(angle))
            alignment = "center" if abs(dx) < 1 else "left" if dx > 0 else "right"
            text = axes.annotate(
                name,
                (x, y),
                (dx, dy),
                textcoords="offset pixels",
                ha=alignment,
                va="center",
                fontsize=9,
                parse_math=False,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
            )
            text.set_in_layout(False)  # otherwise the axes would shrink, and the pixels with them
            box = text.get_window_extent(renderer)
            free = inside.x0 < box.x0 and box.x1 < inside.x1 and inside.y0 < box.y0 and box.y1 < inside.y1
            last = (radius, angle) == (_RADII[-1], _ANGLES[-1])
            if last or (free and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                if radius > _RADII[1]:
                    line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.7, "shrinkA": 1, "shrinkB": 4}
                    leader = axes.annotate("", (x, y), (dx, dy), textcoords="offset pixels", arrowprops=line)
                    leader.set_in_layout(False)
                break
            text.remove()


def save_plot(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG that is the same for the same figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
