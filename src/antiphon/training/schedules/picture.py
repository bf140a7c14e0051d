"""A plot of all schedules: `python -m antiphon.training.schedules.picture docs/images/schedules.png`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from antiphon.training.schedules import SCHEDULES

_STEPS, _WARMUP = 3000, 120


def draw_schedules(path: Path) -> None:
    """Write a PNG of each schedule's multiplier against the share of the run, labelled where curves are far apart.

    Warm-up takes 4 % of the run, longer than in the paper, so that it is visible.
    """
    from matplotlib.figure import Figure  # here, because the registry imports this module at the start of every run

    share = 100 * np.arange(_STEPS) / _STEPS
    curves = np.array([[one.multiplier(step, _STEPS, _WARMUP) for step in range(_STEPS)] for one in SCHEDULES.values()])
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, curve) in enumerate(zip(SCHEDULES, curves, strict=True)):
        axes.plot(share, curve, color=f"C{number}", linewidth=2)
        others = np.delete(curves, number, axis=0)
        alone = int(np.abs(others - curve).min(axis=0, initial=1.0).argmax())
        axes.annotate(
            name,
            (share[alone], curve[alone]),
            xytext=(7, 5),
            textcoords="offset points",
            color=f"C{number}",
            fontsize=12,
        )
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("share of the run, %")
    axes.set_ylabel("multiplier of the learning rate")
    axes.grid(color="0.9")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw every schedule's multiplier over the run.")
    parser.add_argument("path", type=Path, help="path of the PNG")
    draw_schedules(parser.parse_args().path)
