"""Similarity of the representations of the two towers: CKA and RSA between all their layers (paper §7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.drawing import heat_map, new_figure
from antiphon.experiments.analysis.sample import Sample, embed_sample, sample_windows
from antiphon.experiments.analysis.text import as_table, compared_arms
from antiphon.experiments.published import SIMILARITY
from antiphon.experiments.reporting import cell
from antiphon.models.batch import Tokens
from antiphon.models.network import DualEncoder
from antiphon.types import MODALITIES, Modality

_FEWEST = 3

Rows = NDArray[np.float64]


def linear_cka(x: ArrayLike, y: ArrayLike) -> float:
    """Linear CKA: similarity of two representations of the same n items, 0 to 1: [n, D], [n, E] of any units → number.

    ‖YᵀX‖² / (‖XᵀX‖·‖YᵀY‖) in Frobenius norms, columns centred (Kornblith et al. 2019, equation 5, in its feature
    form). It is invariant to rotation and scale of either representation. The estimate is biased upwards where items
    are not more than dimensions: compare it with that of shuffled rows. 0.0 for a constant representation.

    >>> linear_cka([[1, 0], [0, 1], [2, 2]], [[0, 2], [-2, 0], [-4, 4]])
    1.0
    """
    left, right = _centred(x), _centred(y)
    own = float(np.linalg.norm(left.T @ left) * np.linalg.norm(right.T @ right))
    return float(np.linalg.norm(right.T @ left)) ** 2 / own if own > 0 else 0.0


def rsa(x: ArrayLike, y: ArrayLike) -> float:
    """Agreement of two representations of the same n items about distances, −1 to 1: [n, D], [n, E] → number.

    Spearman's ρ of their cosine distances, each pair of items once (Kriegeskorte et al. 2008). A row of zeros is at
    distance 1 from all others. 0.0 when all distances of a representation are equal, or for fewer than three items.

    >>> round(rsa([[1, 0], [1, 1], [0, 1]], [[2, 0], [3, 4], [0, 9]]), 3)
    0.866
    """
    return _correlation(_ranked_distances(x), _ranked_distances(y))


def _centred(x: ArrayLike) -> Rows:
    rows = np.asarray(x, np.float64)
    return rows - rows.mean(axis=0)


def _ranked_distances(x: ArrayLike) -> Rows:
    """Ranks of the cosine distances of all pairs [n (n − 1) / 2], ties at their mean rank."""
    rows = np.asarray(x, np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    # Rounded, so that equal distances are ties whatever the order of additions in a matrix product.
    return rankdata(np.round(1 - (unit @ unit.T)[np.triu_indices(len(rows), 1)], 12))


def _correlation(x: Rows, y: Rows) -> float:
    left, right = _centred(x), _centred(y)
    own = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / own if own > 0 else 0.0


def layer_means(model: DualEncoder, sample: Sample) -> dict[str, Rows]:
    """Output of each transformer layer, averaged over its unpadded positions: "audio 1" … → [n, width], float64.

    Injections after a layer are included. The paper averages over time too; it does not state whether it masks padding.
    """
    outputs: dict[str, list[Rows]] = {}

    def observe(side: Modality, layer: int, tokens: Tokens) -> None:
        outputs.setdefault(f"{side} {layer + 1}", []).append(tokens.mean().double().cpu().numpy())

    embed_sample(model, sample, observe)
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def _run(tested: ModelUnderTest) -> AnalysisResult:
    sample = sample_windows(tested)
    if len(sample) < _FEWEST:
        raise AntiphonError(f"{tested.corpus.name}: {len(sample)} windows; similarity needs at least {_FEWEST}")
    layers = layer_means(tested.model, sample)
    names = list(layers)
    audio, notes = (np.flatnonzero([name.startswith(side) for name in names]) for side in MODALITIES)
    # Chance level: the same measures, with each window's audio paired with the notes of another window.
    others = np.random.default_rng(tested.seed).permutation(len(sample))
    shuffled = [layers[names[number]][others] for number in notes]
    measures: dict[str, tuple[Callable[[Rows], Rows], Callable[[Rows, Rows], float]]] = {
        "CKA": (_centred, linear_cka),
        "RSA": (_ranked_distances, _correlation),
    }
    facts: dict[str, Any] = {
        "windows": len(sample),
        "recordings": len(sample.recordings),
        "skipped": [str(error) for error in sample.skipped],
        "layers": names,
    }
    figure = new_figure(f"{tested.name}: similarity of layers over {len(sample)} windows", 12, 5.5)
    for axes, (measure, (prepare, similarity)) in zip(figure.subplots(1, 2), measures.items(), strict=True):
        prepared = [prepare(rows) for rows in layers.values()]
        matrix = _matrix(prepared, prepared, similarity)
        between = matrix[np.ix_(audio, notes)]
        by_chance = _matrix([prepared[number] for number in audio], [prepare(rows) for rows in shuffled], similarity)
        facts[measure] = {
            "matrix": matrix.tolist(),
            "mean": float(between.mean()),
            "last": float(between[-1, -1]),
            "mean of shuffled windows": float(by_chance.mean()),
            "last of shuffled windows": float(by_chance[-1, -1]),
        }
        title = f"{measure}, mean of audio × notes {between.mean():.3f} (shuffled {by_chance.mean():.3f})"
        heat_map(axes, matrix, names, names, title, limits=(min(0.0, float(matrix.min())), 1.0))
        for edge in (axes.axhline, axes.axvline):
            edge(len(audio) - 0.5, color="black", linewidth=1.5)
    paper = compared_arms(SIMILARITY, tested.arm)
    facts["paper"] = {name: dict(figures) for name, figures in paper.items()}
    rows = [
        {"layer": names[i], "other": names[j]} | {measure: facts[measure]["matrix"][i][j] for measure in measures}
        for i, j in combinations_with_replacement(range(len(names)), 2)
    ]
    return AnalysisResult(facts, rows, figure, _summary(facts, paper, len(audio) * len(notes)))


def _matrix(left: Sequence[Rows], right: Sequence[Rows], similarity: Callable[[Rows, Rows], float]) -> Rows:
    return np.array([[similarity(one, other) for other in right] for one in left])


def _summary(facts: dict[str, Any], paper: Mapping[str, Mapping[str, float]], pairs: int) -> str:
    lines = {
        ("CKA", "mean"): (f"CKA, mean of the {pairs} audio–notes pairs of layers", "CKA"),
        ("RSA", "mean"): (f"RSA, mean of the {pairs} audio–notes pairs of layers", "RSA"),
        ("CKA", "last"): ("CKA of the last layers", "CKA of the last layers"),
        ("RSA", "last"): ("RSA of the last layers", "RSA of the last layers"),
    }
    table = as_table(
        ["", "here", "shuffled windows", *paper],
        [
            [
                title,
                cell(facts[measure][statistic], 3),
                cell(facts[measure][f"{statistic} of shuffled windows"], 3),
                *(cell(figures.get(key), 3) for figures in paper.values()),
            ]
            for (measure, statistic), (title, key) in lines.items()
        ],
    )
    return (
        f"{facts['windows']} windows of {facts['recordings']} recordings, each layer's output averaged over time. "
        "Shuffled windows pair every window's audio with the notes of another window: CKA is biased upwards "
        f"unless there are many more windows than dimensions of a layer.\n\n{table}"
    )


ANALYSIS = Analysis("similarity", "How similar are the representations in the layers of the two towers?", _run)
