"""Probes: ridge regression of properties of one modality on the embedding of the other (paper §7).

Conventions. Inputs are the unit vectors that retrieval compares. Recordings of one work are always in the same fold, so
that a probe is tested on music outside its training folds; the paper does not state its split. R² is that of
out-of-sample predictions (Campbell and Thompson 2008): 1 − squared error / squared error of the mean of the training
windows. A probe that has learned nothing therefore has 0. With the mean of the test windows, which it does not know, it
would be below 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.drawing import bars, new_figure
from antiphon.experiments.analysis.sample import Sample, embed_sample, sample_windows
from antiphon.experiments.analysis.text import as_table, compared_arms, paper_row
from antiphon.experiments.published import PROBES
from antiphon.experiments.reporting import cell
from antiphon.models.batch import NoteBatch
from antiphon.models.descriptors import N_FFT, View
from antiphon.models.descriptors.a7 import share
from antiphon.models.descriptors.a8 import pitch_class_energy
from antiphon.models.descriptors.d3 import d3
from antiphon.types import MODALITIES, Modality

FOLDS = 5
STRENGTHS = tuple(10.0**power for power in range(-2, 6))
"""The ridge strengths λ to choose from."""
_FEWEST_WORKS = 3
_STEPS = 25
_KINDS = ("weighted by variance", "uniform")

Rows = NDArray[np.float64]
Groups = NDArray[np.int64]


@dataclass(frozen=True)
class Ridge:
    """A fitted linear map: `predict` maps [n, D] to [n, K]."""

    mean_x: Rows
    scale_x: Rows
    mean_y: Rows
    weights: Rows

    def predict(self, x: Rows) -> Rows:
        return (x - self.mean_x) / self.scale_x @ self.weights + self.mean_y


def fit_ridge(x: Rows, y: Rows, strengths: Sequence[float]) -> list[Ridge]:
    """Ridge regression of targets y [n, K] on x [n, D], one fit per strength λ.

    Columns of x are standardised, those of y centred; weights = (XᵀX + λ·1)⁻¹ Xᵀ y in closed form (Hoerl and Kennard
    1970), through one singular value decomposition for all λ. The mean is not penalised. Constant columns of x have
    no effect.
    """
    mean_x, mean_y, spread = x.mean(axis=0), y.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 1e-12, spread, np.inf)
    left, values, right = np.linalg.svd((x - mean_x) / scale, full_matrices=False)
    projected = left.T @ (y - mean_y)
    return [
        Ridge(mean_x, scale, mean_y, right.T @ ((values / (values**2 + strength))[:, None] * projected))
        for strength in strengths
    ]


def folds_of(groups: Groups, count: int, rng: np.random.Generator) -> Groups:
    """The fold of every row [n], 0 … count − 1. Rows of a group share a fold; folds are of about equal size."""
    names, member = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member)
    fold, filled = np.zeros(len(names), np.int64), np.zeros(min(count, len(names)), np.int64)
    order = rng.permutation(len(names))
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold[group] = int(np.argmin(filled))
        filled[fold[group]] += sizes[group]
    return fold[member]


def out_of_fold(x: Rows, y: Rows, groups: Groups, seed: int) -> tuple[Rows, Rows]:
    """Predictions [n, K] of y [n, K] from x [n, D] by ridge regressions without the rows of the same group; and the
    mean of their training rows [n, K].

    Up to five folds. For each, the strength is chosen by the squared error over up to five folds of its training rows.
    Needs at least three groups.
    """
    rng = np.random.default_rng(seed)
    predicted, constant = np.empty_like(y), np.empty_like(y)
    fold = folds_of(groups, FOLDS, rng)
    for number in range(fold.max() + 1):
        training = np.flatnonzero(fold != number)
        inner = folds_of(groups[training], FOLDS, rng)
        errors = np.zeros(len(STRENGTHS))
        for part in range(inner.max() + 1):
            fitted, held_out = training[inner != part], training[inner == part]
            fits = fit_ridge(x[fitted], y[fitted], STRENGTHS)
            errors += [float(np.square(fit.predict(x[held_out]) - y[held_out]).sum()) for fit in fits]
        chosen = STRENGTHS[int(np.argmin(errors))]
        test = fold == number
        predicted[test] = fit_ridge(x[training], y[training], [chosen])[0].predict(x[test])
        constant[test] = y[training].mean(axis=0)
    return predicted, constant


def r2(y: Rows, predicted: Rows, constant: Rows) -> tuple[float, float]:
    """1 − squared error / squared error of a constant prediction, all [n, K]: the mean over target dimensions, weighted
    by the latter error, and unweighted. Dimensions where the constant has no error are left out; 0.0 without any other.

    >>> r2(np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([[1.0, 5.0]]))
    (0.5, 0.5)
    """
    total = np.square(y - constant).sum(axis=0)
    error = np.square(y - predicted).sum(axis=0)
    varied = total > 1e-12
    if not varied.any():
        return 0.0, 0.0
    return 1 - float(error[varied].sum() / total[varied].sum()), 1 - float((error[varied] / total[varied]).mean())


def mean_chroma(view: View) -> Tensor:
    """Share of each pitch class in the window's energy: [B, 12], summing to 1; zeros for silence.

    Energies are averaged over frames before they become shares, so that a pause, whose chroma is that of noise, has the
    small weight of its energy.
    """
    return share(pitch_class_energy(view.magnitude, view.sample_rate_hz).mean(dim=1))


def centroid_hz(view: View) -> Tensor:
    """Spectral centroid Σ f·|X| / Σ |X| in Hz of the spectrum averaged over frames: [B, 1]; 0 for silence.

    A mean of the frames' centroids would measure the pauses: rounding noise of 16-bit audio alone has its centroid
    near a quarter of the sample rate.
    """
    spectrum = view.magnitude.mean(dim=2)
    hz = torch.arange(spectrum.shape[1], device=spectrum.device) * (view.sample_rate_hz / N_FFT)
    return share(spectrum) @ hz[:, None]


def pitch_histogram(notes: NoteBatch) -> Tensor:
    """Share of the notes that have each pitch: [B, 128], summing to 1; zeros without notes."""
    hit = torch.nn.functional.one_hot(notes.pitch, 128) * (~notes.padding).unsqueeze(-1)
    return share(hit.sum(dim=1).float())


def interval_histogram(notes: NoteBatch) -> Tensor:
    """Share of each step between successive notes, −12 … 12 semitones, wider ones clamped: [B, 25], as in D3."""
    return d3(notes)[:, 0, -_STEPS:]


def _targets(sample: Sample, sample_rate_hz: int) -> dict[str, tuple[Modality, Rows]]:
    """The paper's four probes by its names: the modality of the embedding, and the target [n, K]."""
    parts: dict[str, list[Rows]] = {}
    for batch in sample.batches:
        view = View(batch, sample_rate_hz)
        for name, values in (
            ("chroma", mean_chroma(view)),
            ("centroid", centroid_hz(view)),
            ("pitches", pitch_histogram(batch.notes)),
            ("intervals", interval_histogram(batch.notes)),
        ):
            parts.setdefault(name, []).append(values.double().numpy())
    whole = {name: np.concatenate(rows) for name, rows in parts.items()}
    return {
        "midi to chroma": ("notes", whole["chroma"]),
        "midi to centroid": ("notes", whole["centroid"]),
        # Pitches that no window has are left out: nothing about them can be predicted.
        "audio to pitch histogram": ("audio", whole["pitches"][:, whole["pitches"].any(axis=0)]),
        "audio to interval histogram": ("audio", whole["intervals"]),
    }


def _run(tested: ModelUnderTest) -> AnalysisResult:
    sample = sample_windows(tested)
    works = len(set(sample.work.tolist()))
    if works < _FEWEST_WORKS:
        raise AntiphonError(
            f"{tested.corpus.name}: windows of {works} works; probes need at least {_FEWEST_WORKS}, so that they can "
            "be tested on music outside their training folds"
        )
    embedded = dict(zip(MODALITIES, embed_sample(tested.model, sample), strict=True))
    others = np.random.default_rng(tested.seed).permutation(len(sample))
    rows = []
    for probe, (side, target) in _targets(sample, tested.model.config.sizes.sample_rate_hz).items():
        row: dict[str, Any] = {"probe": probe, "dimensions": target.shape[1]}
        for title, x in (("", embedded[side]), (", shuffled", embedded[side][others])):
            found = r2(target, *out_of_fold(x, target, sample.work, tested.seed))
            row |= {f"R² {kind}{title}": value for kind, value in zip(_KINDS, found, strict=True)}
        rows.append(row)
    paper = compared_arms(PROBES, tested.arm)
    facts = {
        "windows": len(sample),
        "recordings": len(sample.recordings),
        "works": works,
        "skipped": [str(error) for error in sample.skipped],
        "probes": rows,
        "paper": {name: dict(figures) for name, figures in paper.items()},
    }
    figure = new_figure(f"{tested.name}: R² of probes, {len(sample)} windows", 11, 3.4)
    own = paper_row(PROBES, tested.arm) or {}
    labels = [row["probe"] for row in rows]
    for axes, kind in zip(figure.subplots(1, 2, sharey=True), _KINDS, strict=True):
        values = [row[f"R² {kind}"] for row in rows]
        bars(axes, labels, values, f"dimensions {kind}", "R²", paper=[own.get(label) for label in labels])
        axes.plot(
            [row[f"R² {kind}, shuffled"] for row in rows], range(len(rows)), "|", color="black", markersize=11,
            label="shuffled windows",
        )  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8)
        axes.legend(fontsize=7, frameon=False, labelspacing=0.9)
    return AnalysisResult(facts, rows, figure, _summary(facts, paper))


def _summary(facts: dict[str, Any], paper: Mapping[str, Mapping[str, float]]) -> str:
    rows = facts["probes"]
    columns = [f"R² {kind}{title}" for title in ("", ", shuffled") for kind in _KINDS]
    table = as_table(
        ["probe", "dimensions", *columns, *paper],
        [
            [
                row["probe"],
                str(row["dimensions"]),
                *(cell(row[column], 3) for column in columns),
                *(cell(figures.get(row["probe"]), 3) for figures in paper.values()),
            ]
            for row in rows
        ],
    )
    return (
        f"Ridge regression from unit embeddings over {facts['windows']} windows of {facts['works']} works, tested on "
        "works outside the training folds, R² against the mean of the training windows; shuffled: the same with "
        "embeddings of other windows. From notes to the audio's mean chroma and spectral centroid, from audio to the "
        "notes' pitches (those that occur) and steps between successive notes. The paper states neither its split nor "
        f"its average over dimensions.\n\n{table}"
    )


ANALYSIS = Analysis("probes", "Which properties of one modality does the embedding of the other predict?", _run)
