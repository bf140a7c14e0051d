"""Perturbation: the distance that an embedding moves when one dimension of a descriptor changes (paper §7).

Each dimension is raised by ε = 0.1 at every unpadded frame, and set to zero. The measure is the mean L2 distance that
the embedding of the tower moves. The paper does not state whether its embedding is normalised: `raw` is the output of
the head, which the paper's figures above 1 for such a small ε suggest; `unit` is the unit vector that retrieval
compares. Distances depend on the scale of a model's raw embedding, so compare only the pattern over the bands with the
paper.

In addition to the paper: S with each dimension at zero. The linear correlations are those of a dimension's time mean
and time standard deviation with each dimension of the raw embedding, over windows, as mean |r|; n unrelated windows
give √(2 / (π(n − 1))) on average. A4 is scaled to mean 0 and deviation 1 in every window, so it has no such
correlations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.evaluation.scores import rank_correlation
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.conditions import Condition, embed_conditions, score_conditions
from antiphon.experiments.analysis.drawing import (
    ARM_COLOURS,
    OURS,
    Curve,
    bars,
    curves,
    descriptor_title,
    heat_map,
    new_figure,
)
from antiphon.experiments.analysis.sample import Sample, sample_windows
from antiphon.experiments.analysis.text import as_table
from antiphon.experiments.published import PERTURBATION
from antiphon.experiments.reporting import cell
from antiphon.models.batch import Batch, Tokens
from antiphon.models.descriptors import DESCRIPTORS, describe
from antiphon.models.network import DualEncoder
from antiphon.progress import track
from antiphon.types import MODALITIES, Modality

EPSILON = 0.1
_MEASURES = ("raised_raw", "raised_unit", "zeroed_raw", "zeroed_unit")
_LEAST_SPREAD = 1e-3
"""A statistic with a smaller standard deviation over windows is constant except for rounding."""

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Dimension:
    """One dimension of a descriptor, and the tower that takes the descriptor."""

    descriptor: str
    index: int
    into: Modality

    @property
    def title(self) -> str:
        """The name of the dimension, such as `A4 47 Hz`."""
        name = DESCRIPTORS[self.descriptor].dimensions[self.index]
        return f"{descriptor_title(self.descriptor)} {name.replace('_hz', ' Hz').replace('_', ' ')}"

    def raised(self, tokens: Tokens, by: float) -> Tokens:
        """The descriptor with this dimension raised at every unpadded position."""
        values = tokens.values.clone()
        values[..., self.index] += by if tokens.padding is None else by * ~tokens.padding
        return Tokens(values, tokens.padding)

    def zeroed(self, tokens: Tokens) -> Tokens:
        """The descriptor with this dimension at zero."""
        values = tokens.values.clone()
        values[..., self.index] = 0.0
        return Tokens(values, tokens.padding)

    def condition(self) -> Condition:
        """The condition with this dimension at zero in every window."""

        def change(found: Mapping[str, Tokens], generator: torch.Generator) -> Mapping[str, Tokens]:
            return {**found, self.descriptor: self.zeroed(found[self.descriptor])}

        return Condition(f"zero {self.title}", DESCRIPTORS[self.descriptor].side, descriptors=change)


def dimensions_of(model: DualEncoder) -> list[Dimension]:
    """Every dimension of every descriptor that the towers of a model take. Raises `AntiphonError` without any."""
    taken = dict.fromkeys((injected.descriptor, injected.into) for injected in model.config.arm.injected)
    if not taken:
        raise AntiphonError(
            f"arm {model.config.arm.name}: nothing to perturb, its towers take no descriptors; "
            "antiphon list arms shows which arms inject some"
        )
    return [Dimension(name, index, into) for name, into in taken for index in range(len(DESCRIPTORS[name].dimensions))]


@torch.inference_mode()
def distances(
    model: DualEncoder,
    batch: Batch,
    found: Mapping[str, Tokens],
    dimensions: Sequence[Dimension],
    epsilon: float = EPSILON,
) -> tuple[Rows, dict[Modality, Rows]]:
    """L2 distances that the embedding of each window moves: [B, dimensions, 4], in the order raised raw, raised unit,
    zeroed raw, zeroed unit; and the unchanged raw embeddings [B, D]. `found` are the descriptors of the batch.
    """
    base = {side: model.encode(side, batch, found)[0] for side in {one.into for one in dimensions}}

    def moved(one: Dimension, tokens: Tokens) -> list[Tensor]:
        was, now = base[one.into], model.encode(one.into, batch, {**found, one.descriptor: tokens})[0]
        return [(now - was).norm(dim=1), (F.normalize(now, dim=1) - F.normalize(was, dim=1)).norm(dim=1)]

    columns = []
    for one in dimensions:
        tokens = found[one.descriptor]
        columns.append(torch.stack([*moved(one, one.raised(tokens, epsilon)), *moved(one, one.zeroed(tokens))], dim=1))
    return _array(torch.stack(columns, dim=1)), {side: _array(rows) for side, rows in base.items()}


def _array(values: Tensor) -> Rows:
    found: Rows = values.double().cpu().numpy()
    return found


def _over_time(tokens: Tokens) -> Tensor:
    """Mean and standard deviation over unpadded positions [B, K, 2]; zeros where a row has none."""
    mean = tokens.mean()
    squared = Tokens((tokens.values - mean.unsqueeze(1)).square(), tokens.padding)
    return torch.stack([mean, squared.mean().sqrt()], dim=-1)


def mean_correlation(statistic: Rows, embedded: Rows) -> float | None:
    """Mean over the embedding's dimensions [n, D] of |Pearson's r| with a statistic [n] of the same windows.

    None where the statistic is constant, or for fewer than 3 windows. Constant dimensions are left out.
    """
    varying = embedded.std(axis=0) > 0
    if len(statistic) < 3 or statistic.std() < _LEAST_SPREAD or not varying.any():
        return None
    centred, others = statistic - statistic.mean(), embedded[:, varying] - embedded[:, varying].mean(axis=0)
    r = (others.T @ centred) / (np.linalg.norm(others, axis=0) * np.linalg.norm(centred))
    return float(np.abs(r).mean())


def _run(tested: ModelUnderTest) -> AnalysisResult:
    dimensions = dimensions_of(tested.model)
    sample = sample_windows(tested)
    moved, correlations = _measure(tested.model, sample, dimensions)
    conditions = {one.title: one.condition() for one in dimensions}
    segments = embed_conditions(tested, list(conditions.values()))
    scores = score_conditions(segments, tested.seed)
    rows = [
        {"dimension": one.title, "descriptor": one.descriptor, "into": one.into}
        | {name: round(value, 6) for name, value in zip(_MEASURES, means, strict=True)}
        | scores.under[conditions[one.title].name].row()
        | {"correlation_of_mean": of_mean, "correlation_of_spread": of_spread}
        | {f"paper_{arm}": bands[one.index] if one.descriptor == "a4" else None for arm, bands in PERTURBATION.items()}
        for one, means, (of_mean, of_spread) in zip(dimensions, moved.mean(axis=0).tolist(), correlations, strict=True)
    ]
    facts = segments.facts() | {
        "epsilon": EPSILON,
        "sampled": len(sample),
        "S": scores.intact.row(),
        "chance": scores.chance,
        "correlation_by_chance": round(math.sqrt(2 / (math.pi * max(1, len(sample) - 1))), 4),
        "rank_correlation_with_paper": _rank_correlations(rows),
        "dimensions": rows,
    }
    return AnalysisResult(facts, rows, _draw(tested, facts), _summary(facts))


@torch.inference_mode()
def _measure(
    model: DualEncoder, sample: Sample, dimensions: Sequence[Dimension]
) -> tuple[Rows, list[tuple[float | None, float | None]]]:
    """Distances of all windows [n, dimensions, 4]; the correlations of each dimension's mean and standard deviation."""
    device = next(model.parameters()).device
    moved, statistics, embedded = [], [], []
    for batch in track(sample.batches, "perturbing"):
        batch = batch.to(device)
        found = describe(batch, model.descriptor_names(*MODALITIES), model.config.sizes.sample_rate_hz)
        batch_distances, base = distances(model, batch, found, dimensions)
        over_time = {name: _over_time(tokens) for name, tokens in found.items()}
        moved.append(batch_distances)
        embedded.append(base)
        statistics.append(_array(torch.stack([over_time[one.descriptor][:, one.index] for one in dimensions], dim=1)))
    whole = {side: np.concatenate([part[side] for part in embedded]) for side in embedded[0]}
    correlations = [
        (mean_correlation(mean, whole[one.into]), mean_correlation(spread, whole[one.into]))
        for one, (mean, spread) in zip(dimensions, np.concatenate(statistics).transpose(1, 2, 0), strict=True)
    ]
    return np.concatenate(moved), correlations


def _rank_correlations(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Spearman's ρ of our bands of A4 with each of the paper's arms; empty without A4, None where all are equal."""
    bands = [row for row in rows if row["descriptor"] == "a4"]
    if not bands:
        return {}
    found = {
        (arm, name): rank_correlation([row[name] for row in bands], figures)
        for arm, figures in PERTURBATION.items()
        for name in ("raised_raw", "raised_unit")
    }
    return {
        arm: {name: None if math.isnan(rho) else round(rho, 4) for (of, name), rho in found.items() if of == arm}
        for arm in PERTURBATION
    }


def _draw(tested: ModelUnderTest, facts: Mapping[str, Any]) -> Figure:
    rows: Sequence[Mapping[str, Any]] = facts["dimensions"]
    names = [row["dimension"] for row in rows]
    bands = [row for row in rows if row["descriptor"] == "a4"]
    figure = new_figure(f"{tested.name}: one dimension of a descriptor at a time", 12, 3.6 + 0.36 * len(rows))
    panels = figure.subplots(2, 2).flat
    moved = f"embedding's mean L2 change, raw, {facts['sampled']} windows"
    bars(panels[0], names, [row["raised_raw"] for row in rows], f"raised by {EPSILON:g} at every frame", moved)
    bars(panels[1], names, [row["zeroed_raw"] for row in rows], "set to zero", moved)
    bars(
        panels[2],
        names,
        [row["difference"] for row in rows],
        f"set to zero; S is {facts['S']['S']:.1f} % intact; whiskers: 95 % over pieces",
        "change of S, percentage points",
        intervals=[(row["difference_low"], row["difference_high"]) for row in rows],
    )
    if bands:
        _draw_pattern(panels[3], bands)
    else:
        _draw_correlations(panels[3], rows, facts["correlation_by_chance"])
    return figure


def _draw_pattern(axes: Axes, bands: Sequence[Mapping[str, Any]]) -> None:
    """The change of each band as a share of the largest, ours and the paper's."""

    def pattern(label: str, key: str, colour: str, from_paper: bool) -> Curve:
        values = np.array([row[key] for row in bands], np.float64)
        shares = values / max(float(values.max()), 1e-12)
        return Curve(label, range(len(bands)), shares.tolist(), from_paper=from_paper, colour=colour)

    lines = [pattern(f"paper, {arm}", f"paper_{arm}", ARM_COLOURS[arm], True) for arm in PERTURBATION]
    lines += [pattern("here, raw", "raised_raw", OURS, False), pattern("here, unit", "raised_unit", "#7fb2e5", False)]
    curves(
        axes,
        lines,
        "A4: change of the embedding by octave",
        "lower edge of the octave, Hz",
        "change, share of the largest",
    )
    axes.set_xticks(range(len(bands)), [row["dimension"].split()[1] for row in bands])
    axes.set_ylim(0, 1.05)
    axes.legend(fontsize=7, frameon=False)


def _draw_correlations(axes: Axes, rows: Sequence[Mapping[str, Any]], by_chance: float) -> None:
    keys = ("correlation_of_mean", "correlation_of_spread")
    matrix = [[np.nan if row[key] is None else row[key] for key in keys] for row in rows]
    title = f"mean |r| with the embedding's dimensions (by chance {by_chance:.3f})"
    heat_map(axes, matrix, [row["dimension"] for row in rows], ["time mean", "time deviation"], title, (0, 1), 3)


def _summary(facts: Mapping[str, Any]) -> str:
    columns = ["dimension", "raised: raw", "unit", "zeroed: raw", "unit", "S, zeroed", "change of S", "r of mean"]
    published = PERTURBATION if facts["rank_correlation_with_paper"] else ()
    table = as_table(
        [*columns, "r of deviation", *(f"paper {arm}, raised" for arm in published)],
        [
            [
                row["dimension"],
                *(cell(row[name], 3) for name in _MEASURES),
                cell(row["S"]),
                cell(row["difference"], signed=True),
                cell(row["correlation_of_mean"], 3),
                cell(row["correlation_of_spread"], 3),
                *(cell(row[f"paper_{arm}"], 3) for arm in published),
            ]
            for row in facts["dimensions"]
        ],
    )
    alike = ", ".join(
        f"{arm} {cell(rho['raised_raw'], 2)}" for arm, rho in facts["rank_correlation_with_paper"].items()
    )
    pattern = f" Spearman's ρ of the bands of A4 with the paper's, raised, raw: {alike}." if alike else ""
    return (
        f"Mean L2 change of the embedding over {facts['sampled']} windows when one dimension is raised by {EPSILON:g} "
        "at every frame, or set to zero; `raw` before, `unit` after scaling to unit length. Distances depend on a "
        f"model's scale: compare only their pattern with the paper's.{pattern} S with the dimension at zero, "
        f"over {facts['windows']} windows of {facts['recordings']} recordings: {cell(facts['S']['S'])} intact. `r` "
        "is the mean absolute linear correlation of its time mean or deviation with the embedding's dimensions; "
        f"unrelated windows would have {facts['correlation_by_chance']:.3f}. A dimension scaled in each window, "
        f"such as those of A4, has none (–).\n\n{table}"
    )


ANALYSIS = Analysis("perturbation", "Which dimensions of its descriptors move a model's embedding?", _run)
