"""The cost of a window: query–key pairs and FLOPs are counted, time and memory are measured (paper §4).

The tested model's arm is compared with D0: counted at the model's sizes and at the paper's, measured at the model's.
Only the config of the tested model is used: the measured models are new ones with random weights.
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
"""D0 / a4r in the paper (§4): tokens and self-attention pairs of the audio tower, minutes per epoch (34 and 13)."""
_PAPER = "preset paper"
_WITHOUT_MODEL = "MiB beside the model"  # the key in stored results
_SAMPLED = 16
_BATCH = 8
_COLOURS = ("#1f5fa8", "#6fa3d8", "#c4621b", "#b9bec6")
_PASSES = {"embedding": "#3d7a5f", "learning": "#7d5ba6"}


def _run(tested: ModelUnderTest) -> AnalysisResult:
    config, device = tested.model.config, next(tested.model.parameters()).device
    sample = sample_windows(tested, _SAMPLED)
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
    return AnalysisResult(facts, rows, _draw(tested.name, counts, measured), _summary(facts))


def _measure(configs: Sequence[ModelConfig], notes: int, device: torch.device) -> dict[str, dict[str, float]]:
    """Milliseconds per window, and MiB of a pass with and without the model: by arm, for each kind of pass."""
    measured: dict[str, dict[str, float]] = {config.arm.name: {} for config in configs}
    for kind, learning in (("embedding", False), ("learning", True)):
        load = Load(_BATCH, notes, learning)
        for config, taken_s in zip(configs, seconds_per_window(configs, load, device), strict=True):
            peak, before = peak_mib(config, load, device)
            measured[config.arm.name] |= {
                f"{kind}, ms a window": 1000 * taken_s,
                f"{kind}, MiB": peak,
                f"{kind}, {_WITHOUT_MODEL}": peak - before,
            }
    return measured


def _draw(name: str, counts: Mapping[str, Mapping[str, Count]], measured: Mapping[str, Mapping[str, float]]) -> Figure:
    figure = new_figure(f"{name}: cost of a window", 12, 5.2)
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
    units = (("ms a window", "ms per window"), (_WITHOUT_MODEL, "MiB without the model"))
    for axes, (unit, label) in zip(below, units, strict=True):
        for shift, (kind, colour) in zip((-0.18, 0.18), _PASSES.items(), strict=True):
            values = [found[f"{kind}, {unit}"] for found in measured.values()]
            bar = axes.barh(np.arange(len(values)) + shift, values, 0.34, color=colour, label=kind)
            axes.bar_label(bar, fmt="%.3g", fontsize=8, padding=3)
        axes.set_yticks(range(len(measured)), list(measured))
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.set_xlabel(label)
        tidy(axes, f"measured, these sizes, batches of {_BATCH}")
    parts, passes = (axes.get_legend_handles_labels() for axes in (above[0], below[0]))
    handles, labels = parts[0] + passes[0], parts[1] + passes[1]
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=8, frameon=False)
    return figure


def _summary(facts: Mapping[str, Any]) -> str:
    arms = list(facts["measured"])
    lines: list[list[str]] = []

    def add(
        title: str, found: Mapping[str, Mapping[str, float]], key: str, scale: float, digits: int, paper: str = "–"
    ) -> None:
        values = [found[arm][key] * scale for arm in arms]
        ratio = values[-1] / values[0] if len(arms) > 1 and values[0] else math.nan
        shown = f"{ratio:.3g}" if ratio > 0 else "–"
        lines.append([title, *(cell(value, digits) for value in values), shown, paper])

    for size, found in facts["counts"].items():
        tokens, pairs = (f"{PAPER_RATIOS[key]:g}" if size == _PAPER else "–" for key in ("tokens", "pairs"))
        add(f"{size}: tokens of the audio tower", found, "audio tokens", 1, 0, tokens)
        add(f"{size}: its self-attention pairs, million", found, "audio self-attention pairs", 1e-6, 3, pairs)
        add(f"{size}: cross-attention pairs, million", found, "cross-attention pairs", 1e-6, 3)
        add(f"{size}: GFLOPs in all", found, "FLOPs", 1e-9, 2)
    for kind, action, paper in (
        ("embedding", "embed", "–"),
        ("learning", "learn from", f"{PAPER_RATIOS['learning']:.1f}"),
    ):
        add(f"ms to {action} a window", facts["measured"], f"{kind}, ms a window", 1, 2, paper)
        add(f"MiB to {action} {_BATCH}, without the model", facts["measured"], f"{kind}, {_WITHOUT_MODEL}", 1, 0)
    table = as_table(["", *arms, f"{REFERENCE} / {arms[0]}", f"paper, {REFERENCE} / a4r"], lines)
    return (
        f"One window of {facts['notes']} notes, the median of the sample. Counted by hooks on every attention layer, "
        "Linear and convolution; a multiply-add is 2 FLOPs. Measurements are at these sizes, in batches "
        f"of {_BATCH} on {facts['device']} with {facts['threads']} threads; all parameters are trained. The paper has "
        "34 and 13 minutes per epoch: only the self-attention has 163 times fewer pairs; the cost of the front end and "
        f"of the keys of the cross-attention still grows with the number of frames.\n\n{table}"
    )


ANALYSIS = Analysis("cost", "What does a window cost, in attention, arithmetic, time and memory?", _run)
