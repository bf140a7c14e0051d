"""Recall at k, mean reciprocal rank, chance level, bootstrap intervals of both, and rank correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antiphon.evaluation.bootstrap import interval_95, resampled_means

CUTOFFS = (1, 5, 10, 20)


def per_query(ranks: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Each query's contribution to each score: 100 or 0 for a hit at 1, 5, 10 and 20, and the reciprocal rank.

    `ranks` int [q], from 1 on → float64 [q] per score.
    """
    return {f"R@{k}": np.where(ranks <= k, 100.0, 0.0) for k in CUTOFFS} | {"MRR": 1.0 / ranks}


def summary(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Means over queries of `per_query`, and the mean rank. `ranks` int [q].

    >>> summary(np.array([1, 2, 20, 400]))["R@5"]
    50.0
    """
    means = {name: float(values.mean()) for name, values in per_query(ranks).items()}
    return means | {"mean_rank": float(ranks.mean())}


def chance(sizes: NDArray[np.int64]) -> dict[str, float]:
    """Expected recalls of a random order over pools of these sizes [q], in percent.

    >>> chance(np.array([256]))["R@10"]
    3.90625
    """
    return {f"R@{k}": float(100 * np.minimum(1.0, k / sizes).mean()) for k in CUTOFFS}


def intervals(directions: dict[str, NDArray[np.int64]], cluster: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """95 % bootstrap intervals [low, high] of S and of each direction's scores.

    `directions` maps a2m and m2a to ranks [q]. Both use the same resamples, so that S, the minimum of both R@10, is
    computed per resample. `cluster` is as for `resampled_means`.
    """
    values = {
        (direction, name): own for direction, ranks in directions.items() for name, own in per_query(ranks).items()
    }
    means = resampled_means(values, cluster, seed)
    result: dict[str, Any] = {"S": interval_95(np.minimum(*(means[direction, "R@10"] for direction in directions)))}
    for direction, name in values:
        result.setdefault(direction, {})[name] = interval_95(means[direction, name])
    return result


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's ρ of paired values: the correlation of their ranks, with ties at their mean rank.

    NaN with fewer than 3 pairs or when one side is constant. Raises `ValueError` for sides of different lengths.

    >>> rank_correlation([1, 2, 3, 4], [10, 30, 20, 40])
    0.8
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"paired values need two lists of one length, got shapes {left.shape} and {right.shape}")
    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return float("nan")
    from scipy import stats  # imported here: takes half a second and serves this function only

    return round(float(stats.spearmanr(left, right).statistic), 12)
