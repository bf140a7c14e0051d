"""Recall at k, mean reciprocal rank, chance, and bootstrap intervals over queries and over pieces."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Key = TypeVar("Key", bound=Hashable)

CUTOFFS = (1, 5, 10, 20)
RESAMPLES = 1000


def per_query(ranks: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """What each query contributes to each score: hits in percent at 1, 5, 10, 20, and the reciprocal rank."""
    return {f"R@{k}": np.where(ranks <= k, 100.0, 0.0) for k in CUTOFFS} | {"MRR": 1.0 / ranks}


def summary(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Means over queries.

    >>> summary(np.array([1, 2, 20, 400]))["R@5"]
    50.0
    """
    means = {name: float(values.mean()) for name, values in per_query(ranks).items()}
    return means | {"mean_rank": float(ranks.mean())}


def chance(sizes: NDArray[np.int64]) -> dict[str, float]:
    """Expected recalls of a random order over pools of these sizes, in percent."""
    return {f"R@{k}": float(100 * np.minimum(1.0, k / sizes).mean()) for k in CUTOFFS}


def intervals(directions: dict[str, NDArray[np.int64]], cluster: NDArray[np.int64], seed: int) -> dict[str, Any]:
    """95 % bootstrap intervals [low, high] of S and of each direction's scores.

    `directions` maps a2m and m2a to ranks [q]; both use the same resampled queries, so that S, their minimum R@10, is
    resampled as a whole. `cluster` is as for `resampled_means`.
    """
    values = {
        (direction, name): found for direction, ranks in directions.items() for name, found in per_query(ranks).items()
    }
    means = resampled_means(values, cluster, seed)
    found: dict[str, Any] = {"S": interval_95(np.minimum(*(means[direction, "R@10"] for direction in directions)))}
    for direction, name in values:
        found.setdefault(direction, {})[name] = interval_95(means[direction, name])
    return found


def resampled_means(
    values: Mapping[Key, NDArray[np.float64]], cluster: NDArray[np.int64], seed: int
) -> dict[Key, NDArray[np.float64]]:
    """Means of values [q] over 1000 bootstrap samples of whole clusters, the same samples for all: [1000] each.

    `cluster` [q] is what is resampled: a number of its own for every query, or its piece's.
    """
    rng = np.random.default_rng(seed)
    groups, member = np.unique(cluster, return_inverse=True)
    sizes = np.bincount(member).astype(np.float64)
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=RESAMPLES)
    count = drawn @ sizes
    return {key: drawn @ np.bincount(member, weights=found) / count for key, found in values.items()}


def interval_95(means: NDArray[np.float64]) -> list[float]:
    """The middle 95 % of resampled means: [low, high]."""
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Spearman's ρ of paired values: the correlation of their ranks, ties at their mean rank.

    nan with fewer than 3 pairs or when one side is constant. Raises `ValueError` for sides of different lengths.

    >>> rank_correlation([1, 2, 3, 4], [10, 30, 20, 40])
    0.8
    """
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.shape != right.shape or left.ndim != 1:
        raise ValueError(f"pairs need two lists of one length, got shapes {left.shape} and {right.shape}")
    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return float("nan")
    from scipy import stats  # half a second, for this alone

    return round(float(stats.spearmanr(left, right).statistic), 12)
