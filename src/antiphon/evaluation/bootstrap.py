"""The bootstrap: distributions of means over resampled clusters or groups, and their 95 % intervals.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993); percentile intervals as in §13.3.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Key = TypeVar("Key", bound=Hashable)

RESAMPLES = 1000


def draw_clusters(cluster: NDArray[np.int64], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """1000 resamples, with replacement, of the distinct values of `cluster` [q].

    Returns the number of times each of the c distinct values is drawn, [1000, c], and the position [q] of each query's
    value among them. Equal seeds give equal draws.
    """
    groups, member = np.unique(cluster, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=RESAMPLES)
    return drawn, member.reshape(-1)


def resampled_means(
    values: Mapping[Key, NDArray[np.float64]], cluster: NDArray[np.int64], seed: int
) -> dict[Key, NDArray[np.float64]]:
    """Means of values [q] over 1000 resamples of whole clusters, the same resamples for all keys: [1000] each.

    `cluster` [q] is a number per query: its own, to resample queries, or its piece's, to resample pieces.
    """
    drawn, member = draw_clusters(cluster, seed)
    count = drawn @ np.bincount(member).astype(np.float64)
    return {key: drawn @ np.bincount(member, weights=one) / count for key, one in values.items()}


def resampled_differences(
    a: NDArray[np.float64], b: NDArray[np.float64], seed: int, resamples: int
) -> NDArray[np.float64]:
    """Mean of `a` [n] minus mean of `b` [m] when each group is resampled with replacement: [resamples]."""
    rng = np.random.default_rng(seed)
    means = [group[rng.integers(len(group), size=(resamples, len(group)))].mean(axis=1) for group in (a, b)]
    return np.asarray(means[0] - means[1])


def percentile_interval(resampled: NDArray[np.float64]) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of resampled values [r].

    >>> percentile_interval(np.arange(1001.0))
    (25.0, 975.0)
    """
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def interval_95(resampled: NDArray[np.float64]) -> list[float]:
    """`percentile_interval` as results record it: [low, high] to 4 decimals."""
    return [round(end, 4) for end in percentile_interval(resampled)]
