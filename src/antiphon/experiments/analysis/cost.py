"""What a window costs: query–key pairs and FLOPs counted where modules run, seconds and memory measured (paper §4).

The subject's arm beside D0, counted in the subject's sizes and in the paper's, measured in the subject's. Of the
subject only its config counts: models to be measured are made anew, with random weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.counting import PARTS, Count, count_of_shapes
from antiphon.experiments.analysis.drawing import new_figure, tidy
from antiphon.experiments.analysis.measuring import Load, peak_mib, seconds_per_window
from antiphon.experiments.analysis.sample import sample_windows
from antiphon.experiments.analysis.text import as_table
from antiphon.experiments.published import REFERENCE
from antiphon.experiments.reporting import cell
from antiphon.models.arms import find_arm
from antiphon.models.network import ModelConfig
from antiphon.training.presets import find_preset

PAPER_RATIOS = {"tokens": 12.8, "pairs": 163.0, "learning": 34 / 13}
"""D0 over a4r in the paper (§4): tokens, self-attention pairs of the audio tower, minutes an epoch (34 and 13)."""
_PAPER = "preset paper"
_SAMPLED = 16
_BATCH = 8
_COLOURS = ("#1f5fa8", "#6fa3d8", "#c4621b", "#b9bec6")
_PASSES = {"embedding": "#3d7a5f", "learning": "#7d5ba6"}


def _run(subject: ModelUnderTest) -> AnalysisResult:
    config, device = subject.model.config, next(subject.model.parameters()).device
    sample = sample_windows(subject, _SAMPLED)
    notes = round(float(np.median(np.concatenate([(~batch.notes.padding).sum(dim=1) for batch in sample.batches]))))
    arms = {arm.name: arm for arm in (config.arm, find_arm(REFERENCE))}
    sizes = {"these sizes": config.sizes, _PAPER: find_preset("paper").sizes}
    if config.sizes == sizes[_PAPER]:
        del sizes["these sizes"]
    counts = {
        size: {name: count_of_shapes(ModelConfig(arm, given), notes) for name, arm in arms.items()}
        for size, given in sizes.items()
    }
    measured = _measure([ModelConfig(arm, config.sizes) for arm in arms.values()], notes, device)
    facts: dict[str, Any] = {
        "notes": notes,
        "batch": _BATCH,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "counts": {size: {arm: count.totals() for arm, count in found.items()} for size, found in counts.items()},
        "measured": measured,
        "paper, D0 / a4r": PAPER_RATIOS,
    }
    rows = [
        {"size": size, "arm": arm} | asdict(site) | {"pairs": site.pairs}
        for size, by_arm in counts.items()
        for arm, count in by_arm.items()
        for site in count.sites
    ]
    return AnalysisResult(facts, rows, _draw(subject.name, counts, measured), _summary(facts))


def _measure(configs: Sequence[ModelConfig], notes: int, device: torch.device) -> dict[str, dict[str, float]]:
    """Milliseconds a window, and the MiB that a pass takes beside the model: by arm, for each kind of pass."""
    measured: dict[str, dict[str, float]] = {config.arm.name: {} for config in configs}
    for what, learning in (("embedding", False), ("learning", True)):
        load = Load(_BATCH, notes, learning)
        for config, taken_s in zip(configs, seconds_per_window(configs, load, device), strict=True):
            peak, before = peak_mib(config, load, device)
            measured[config.arm.name] |= {
                f"{what}, ms a window": 1000 * taken_s,
                f"{what}, MiB": peak,
                f"{what}, MiB beside the model": peak - before,
            }
    return measured


def _draw(name: str, counts: Mapping[str, Mapping[str, Count]], measured: Mapping[str, Mapping[str, float]]) -> Figure:
    figure = new_figure(f"{name}: what a window costs", 12, 5.2)
    above, below = figure.subplots(2, 2)
    for axes in above[len(counts) :]:
        axes.set_axis_off()
    for axes, (size, by_arm) in zip(above, counts.items(), strict=False):
        left = np.zeros(len(by_arm))
        for (part, title), colour in zip(PARTS.items(), _COLOURS, strict=True):
            giga = np.array([count.flops(part) / 1e9 for count in by_arm.values()])
            axes.barh(list(by_arm), giga, 0.6, left, color=colour, label=title)
            left += giga
        axes.invert_yaxis()
        axes.set_xlabel("GFLOPs to embed a window")
        tidy(axes, f"counted, {size}")
    for axes, unit in zip(below, ("ms a window", "MiB beside the model"), strict=True):
        for shift, (what, colour) in zip((-0.18, 0.18), _PASSES.items(), strict=True):
            values = [found[f"{what}, {unit}"] for found in measured.values()]
            bar = axes.barh(np.arange(len(values)) + shift, values, 0.34, color=colour, label=what)
            axes.bar_label(bar, fmt="%.3g", fontsize=8, padding=3)
        axes.set_yticks(range(len(measured)), list(measured))
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        tidy(axes, f"measured, these sizes, batches of {_BATCH}")
    parts, passes = (axes.get_legend_handles_labels() for axes in (above[0], below[0]))
    handles, labels = parts[0] + passes[0], parts[1] + passes[1]
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def _summary(facts: Mapping[str, Any]) -> str:
    arms = list(facts["measured"])
    lines: list[list[str]] = []

    def add(
        what: str, found: Mapping[str, Mapping[str, float]], key: str, scale: float, digits: int, paper: str = "–"
    ) -> None:
        values = [found[arm][key] * scale for arm in arms]
        ratio = values[-1] / values[0] if len(arms) > 1 and values[0] else math.nan
        shown = f"{ratio:.3g}" if ratio > 0 else "–"
        lines.append([what, *(cell(value, digits) for value in values), shown, paper])

    for size, found in facts["counts"].items():
        tokens, pairs = (f"{PAPER_RATIOS[key]:g}" if size == _PAPER else "–" for key in ("tokens", "pairs"))
        add(f"{size}: tokens of the audio tower", found, "audio tokens", 1, 0, tokens)
        add(f"{size}: its self-attention pairs, million", found, "audio self-attention pairs", 1e-6, 3, pairs)
        add(f"{size}: cross-attention pairs, million", found, "cross-attention pairs", 1e-6, 3)
        add(f"{size}: GFLOPs in all", found, "FLOPs", 1e-9, 2)
    for what, title, paper in (
        ("embedding", "embed", "–"),
        ("learning", "learn from", f"{PAPER_RATIOS['learning']:.1f}"),
    ):
        add(f"ms to {title} a window", facts["measured"], f"{what}, ms a window", 1, 2, paper)
        add(f"MiB to {title} {_BATCH}, beside the model", facts["measured"], f"{what}, MiB beside the model", 1, 0)
    table = as_table(["", *arms, f"{REFERENCE} / {arms[0]}", f"paper, {REFERENCE} / a4r"], lines)
    return (
        f"One window of {facts['notes']} notes, this sample's median. Counted by hooks on every attention layer, "
        "Linear and convolution while the window passes; a multiply-add is 2 FLOPs. Measured in these sizes, batches "
        f"of {_BATCH} on {facts['device']} with {facts['threads']} threads, all parameters learning. The paper gives "
        "minutes an epoch, 34 and 13: the 163 times fewer pairs are of self-attention alone, and the front end and the "
        f"keys of the cross-attention still cost as much as there are frames.\n\n{table}"
    )


ANALYSIS = Analysis("cost", "What does a window cost, in attention, arithmetic, time and memory?", _run)
