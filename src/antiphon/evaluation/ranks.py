"""Ranks of the positive, in sampled pools and among all windows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import SegmentTable
from antiphon.evaluation.pools import false_negatives

TIE = 1e-6
"""Cosines closer than this are ties: in float32, matrix products of equal vectors differ by up to this much."""


def pool_ranks(
    queries: NDArray[np.float32], candidates: NDArray[np.float32], pools: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank of the positive in each pool, and each pool's size: int [q], int [q].

    `queries` [q, D]; `candidates` [n, D]; `pools` [q, pool] are rows of `candidates`, the positive first, padded with
    -1. A positive or query of zeros (an empty window) or NaN has the last rank.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> pool_ranks(rows[:1], rows, np.array([[0, 1, 2]]))[0].tolist()
    [1]
    """
    ranks = np.empty(len(queries), np.int64)
    for row, (query, pool) in enumerate(zip(queries, pools, strict=True)):
        scores = candidates[pool[pool >= 0]] @ query
        ranks[row] = int(_no_worse(scores, scores[0]).sum()) if np.any(scores[0]) else len(scores)
    return ranks, (pools >= 0).sum(axis=1)


def whole_pool_ranks(
    queries: NDArray[np.float32],
    candidates: NDArray[np.float32],
    table: SegmentTable,
    strict: bool,
    chunk: int = 1024,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank of candidate i for query i among all n windows, and the size of each pool: int [n], int [n].

    `queries` and `candidates` float32 [n, D], row i being window i of `table`. With `strict`, the pool of a query
    excludes its `false_negatives`, except the positive itself. `chunk` queries are compared at a time.
    """
    ranks = np.empty(len(queries), np.int64)
    sizes = np.full(len(queries), len(candidates), np.int64)
    for begin in range(0, len(queries), chunk):
        rows = np.arange(begin, min(begin + chunk, len(queries)))
        scores = queries[rows] @ candidates.T
        positive = scores[np.arange(len(rows)), rows]
        beats = _no_worse(scores, positive[:, None])
        if strict:
            excluded = false_negatives(table, rows)
            excluded[np.arange(len(rows)), rows] = False
            beats &= ~excluded
            sizes[rows] -= excluded.sum(axis=1)
        ranks[rows] = np.where(positive == 0, sizes[rows], beats.sum(axis=1))
    return ranks, sizes


def _no_worse(scores: NDArray[np.float32], positive: NDArray[np.float32]) -> NDArray[np.bool_]:
    # Not `scores >= …`: NaN, from a model that has diverged, compares false to everything and would rank first.
    return ~(scores < positive - TIE)


def pair_accuracy(
    queries: NDArray[np.float32],
    positives: NDArray[np.float32],
    candidates: NDArray[np.float32],
    negative: NDArray[np.int64],
) -> float | None:
    """Percent of queries with a higher cosine to their positive than to one negative; a tie is an error.

    `queries` and `positives` [q, D]; `negative` int [q] are rows of `candidates` [n, D], -1 for none. None where no
    query has a negative.
    """
    present = negative >= 0
    if not present.any():
        return None
    near = np.einsum("qd,qd->q", queries[present], positives[present])
    far = np.einsum("qd,qd->q", queries[present], candidates[negative[present]])
    return float(100 * (near > far + TIE).mean())
