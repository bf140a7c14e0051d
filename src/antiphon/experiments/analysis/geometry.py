"""Geometry of the common space: alignment, uniformity, modality gap, hubness, and a map of the embeddings.

The paper shows maps and names alignment, uniformity and hubness without figures (§7). All measures are computed on unit
vectors, whose cosines rank the candidates in retrieval.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from scipy.special import logsumexp

from antiphon.errors import AntiphonError
from antiphon.experiments.analysis import Analysis, AnalysisResult, ModelUnderTest
from antiphon.experiments.analysis.drawing import OURS, PAPER, REFERENCE, new_figure, tidy
from antiphon.experiments.analysis.sample import Sample, embed_sample, sample_windows
from antiphon.experiments.analysis.text import as_table
from antiphon.experiments.reporting import cell

NEIGHBOURS = 10
_SHOWN = 8
_TITLE = 34
_DIRECTIONS = {"a2m": "audio → notes", "m2a": "notes → audio"}

Rows = NDArray[np.float64]


def alignment(x: Rows, y: Rows) -> float:
    """Mean squared distance of the two vectors of a pair, [n, D] each: 0 when they are equal, 2 for unrelated unit
    vectors in many dimensions, at most 4 (Wang and Isola 2020, α = 2)."""
    return float(np.square(x - y).sum(axis=1).mean())


def uniformity(x: Rows) -> float:
    """log of the mean over all pairs of exp(−2·‖x − y‖²), [n, D]: 0 when all unit vectors are equal, close to −4
    when they are spread evenly in many dimensions (Wang and Isola 2020, t = 2). Needs two vectors."""
    exponents = -2 * pdist(x, "sqeuclidean")
    return float(logsumexp(exponents) - np.log(len(exponents)))


def modality_gap(x: Rows, y: Rows) -> float:
    """Distance of the two modalities' centroids, [n, D] each: 0 to 2 for unit vectors (Liang et al. 2022)."""
    return float(np.linalg.norm(x.mean(axis=0) - y.mean(axis=0)))


def k_occurrence(queries: Rows, candidates: Rows, k: int = NEIGHBOURS) -> NDArray[np.int64]:
    """Number of queries [q, D] that have each candidate [n, D] among their k best by cosine: int [n] with the sum q·k.

    The number N_k of Radovanović et al. 2010, across modalities. A tie goes to the first candidate.
    """
    nearest = np.argsort(-(queries @ candidates.T), axis=1, kind="stable")[:, :k]
    return np.bincount(nearest.reshape(-1), minlength=len(candidates))


def hubness(occurrence: NDArray[np.int64]) -> dict[str, float]:
    """Skewness of N_k (0.0 when all are equal), share of candidates that no query finds, and largest N_k.

    >>> hubness(np.array([0, 0, 0, 4]))["anti-hubs"]
    0.75
    """
    centred = occurrence - occurrence.mean()
    spread = float(occurrence.std())
    return {
        "skewness": float((centred**3).mean()) / spread**3 if spread > 0 else 0.0,
        "anti-hubs": float((occurrence == 0).mean()),
        "largest": float(occurrence.max()),
    }


def hubness_by_chance(candidates: int, k: int = NEIGHBOURS) -> dict[str, float]:
    """Expected `hubness` when as many queries as candidates draw their k at random: N_k is binomial."""
    share = k / candidates
    spread = np.sqrt(candidates * share * (1 - share))
    return {"skewness": float((1 - 2 * share) / spread), "anti-hubs": float((1 - share) ** candidates)}


def _umap(rows: Rows, seed: int) -> Rows:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about optional packages and small inputs
        umap: Any = importlib.import_module("umap")
        neighbours = min(15, len(rows) - 1)
        fit = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1)
        return np.asarray(fit.fit_transform(rows), np.float64)


def _tsne(rows: Rows, seed: int) -> Rows:
    manifold: Any = importlib.import_module("sklearn.manifold")
    perplexity = min(30.0, (len(rows) - 1) / 3)
    fit = manifold.TSNE(perplexity=perplexity, metric="cosine", init="pca", learning_rate="auto", random_state=seed)
    return np.asarray(fit.fit_transform(rows.astype(np.float32)), np.float64)


def _pca(rows: Rows, seed: int) -> Rows:
    centred = rows - rows.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T


_MAPS: tuple[tuple[str, str, Callable[[Rows, int], Rows]], ...] = (
    ("UMAP", "umap", _umap),
    ("t-SNE", "sklearn", _tsne),
    ("PCA", "numpy", _pca),
)


def flatten(rows: Rows, seed: int) -> tuple[str, Rows]:
    """The name of the method, and a map [n, 2] of vectors [n, D], D ≥ 2: UMAP where umap-learn is installed, else
    t-SNE where scikit-learn is, else PCA. The extra `antiphon[analysis]` installs both packages."""
    name, _, method = next(one for one in _MAPS if find_spec(one[1]) is not None)
    return name, method(rows, seed)


def _run(tested: ModelUnderTest) -> AnalysisResult:
    sample = sample_windows(tested)
    count = len(sample)
    if count <= NEIGHBOURS:
        raise AntiphonError(f"{tested.corpus.name}: {count} windows; geometry needs more than {NEIGHBOURS}")
    audio, notes = embed_sample(tested.model, sample)
    cosines = audio @ notes.T
    occurrences = {"a2m": k_occurrence(audio, notes), "m2a": k_occurrence(notes, audio)}
    by_direction = {direction: hubness(occurrence) for direction, occurrence in occurrences.items()}
    facts: dict[str, Any] = {
        "windows": count,
        "recordings": len(sample.recordings),
        "skipped": [str(error) for error in sample.skipped],
        "alignment": alignment(audio, notes),
        "uniformity": {"audio": uniformity(audio), "notes": uniformity(notes)},
        "modality gap": modality_gap(audio, notes),
        "cosine of pairs": float(np.diagonal(cosines).mean()),
        "cosine of others": float((cosines.sum() - np.trace(cosines)) / (count * (count - 1))),
        "hubness": by_direction | {"by chance": hubness_by_chance(count)},
    }
    figure = new_figure(f"{tested.name}: {count} windows in the common space", 12, 6)
    left, right = figure.subplots(1, 2, width_ratios=(2.2, 1))
    facts["map"], points = flatten(np.concatenate([audio, notes]), tested.seed)
    _draw_map(figure, left, facts["map"], points[:count], points[count:], sample, tested.seed)
    _draw_occurrence(right, occurrences)
    rows = [
        {
            "recording": sample.recordings[number].id,
            "start_s": float(start_s),
            "cosine": float(cosines[row, row]),
            f"N{NEIGHBOURS} of notes": int(occurrences["a2m"][row]),
            f"N{NEIGHBOURS} of audio": int(occurrences["m2a"][row]),
            "audio x": float(points[row, 0]),
            "audio y": float(points[row, 1]),
            "notes x": float(points[count + row, 0]),
            "notes y": float(points[count + row, 1]),
        }
        for row, (number, start_s) in enumerate(zip(sample.recording, sample.start_s, strict=True))
    ]
    return AnalysisResult(facts, rows, figure, _summary(facts))


def _draw_map(figure: Figure, axes: Axes, method: str, audio: Rows, notes: Rows, sample: Sample, seed: int) -> None:
    """Audio and notes of every window, with lines between pairs; the recordings with most windows are in colour."""
    order = np.random.default_rng(seed).permutation(len(sample.recordings))
    windows = np.bincount(sample.recording, minlength=len(sample.recordings))
    shown = np.sort(order[np.argsort(-windows[order], kind="stable")][:_SHOWN])
    rest = ~np.isin(sample.recording, shown)
    for points, marker in ((audio, "o"), (notes, "^")):
        axes.plot(*points[rest].T, marker, color="0.82", markersize=2.5, markeredgewidth=0)
    for index, number in enumerate(shown):
        colour, kept = f"C{index}", sample.recording == number
        ends = np.stack([audio[kept], notes[kept]])
        axes.plot(ends[..., 0], ends[..., 1], color=colour, linewidth=0.6, alpha=0.5)
        title = sample.recordings[number].title
        short = title if len(title) <= _TITLE else title[: _TITLE - 1] + "…"
        axes.plot(*ends[0].T, "o", color=colour, markersize=4.5, markeredgewidth=0, zorder=3, label=short)
        axes.plot(*ends[1].T, "^", color=colour, markersize=5.5, markeredgecolor="white", markeredgewidth=0.4, zorder=3)
    tidy(axes, f"{method}: ● audio, ▲ notes, lines connect pairs; {len(shown)} recordings in colour")
    axes.set_xticks([])
    axes.set_yticks([])
    legend = figure.legend(loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw_occurrence(axes: Axes, occurrences: dict[str, NDArray[np.int64]]) -> None:
    largest = max(int(occurrence.max()) for occurrence in occurrences.values())
    width = -(-(largest + 1) // 40)  # an integer, so that every bar counts equally many values
    edges = (np.arange(0, largest + width + 1, width) - 0.5).tolist()
    for (direction, occurrence), colour in zip(occurrences.items(), (OURS, PAPER), strict=True):
        axes.hist(occurrence, edges, histtype="step", color=colour, linewidth=1.6, label=_DIRECTIONS[direction])
    axes.axvline(NEIGHBOURS, color=REFERENCE, linestyle="--", linewidth=1, label="if all were found equally often")
    axes.set_xlabel(f"N{NEIGHBOURS}: number of queries with the window among their {NEIGHBOURS} best")
    axes.set_ylabel("windows")
    axes.set_yscale("log")
    axes.legend(fontsize=8, frameon=False)
    tidy(axes, "hubness")


def _summary(facts: dict[str, Any]) -> str:
    found = facts["hubness"]
    table = as_table(
        ["hubness", *_DIRECTIONS.values(), "random draws"],
        [
            [title, *(cell(factor * value, digits) if value is not None else "–" for value in values)]
            for title, key, factor, digits in (
                (f"skewness of N{NEIGHBOURS}", "skewness", 1, 2),
                ("anti-hubs, found by no query, %", "anti-hubs", 100, 1),
                (f"largest N{NEIGHBOURS}", "largest", 1, 0),
            )
            for values in [[found[which].get(key) for which in (*_DIRECTIONS, "by chance")]]
        ],
    )
    return (
        f"{facts['windows']} windows of {facts['recordings']} recordings. Alignment {cell(facts['alignment'], 3)} "
        f"(0 is best), uniformity {cell(facts['uniformity']['audio'], 3)} for audio and "
        f"{cell(facts['uniformity']['notes'], 3)} for notes (lower is more even), distance of the centroids "
        f"{cell(facts['modality gap'], 3)}. The mean cosine of pairs is {cell(facts['cosine of pairs'], 3)}, of others "
        f"{cell(facts['cosine of others'], 3)}. The paper gives no figures for these.\n\n{table}"
    )


ANALYSIS = Analysis("geometry", "How are the two modalities distributed in the common space?", _run)
