"""Ranks of the positive, in small pools and against every window at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import SegmentTable
from antiphon.evaluation.pools import false_negatives

TIE = 1e-6
"""Cosines closer than this are ties: equal vectors may differ by as much after a matrix product in float32."""


def pool_ranks(
    queries: NDArray[np.float32], candidates: NDArray[np.float32], pools: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rank of the first candidate of each pool, and each pool's size: int [q], int [q].

    `queries` [q, D]; `candidates` [n, D]; `pools` [q, pool] rows of `candidates`, padded with -1. A vector of zeros
    (nothing to embed) scores no better than any candidate, and neither does NaN.
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

    `strict` leaves out of query i's pool what `false_negatives` names, but for the positive itself.
    """
    ranks = np.empty(len(queries), np.int64)
    sizes = np.full(len(queries), len(candidates), np.int64)
    for begin in range(0, len(queries), chunk):
        rows = np.arange(begin, min(begin + chunk, len(queries)))
        scores = queries[rows] @ candidates.T
        positive = scores[np.arange(len(rows)), rows]
        beats = _no_worse(scores, positive[:, None])
        if strict:
            left_out = false_negatives(table, rows)
            left_out[np.arange(len(rows)), rows] = False
            beats &= ~left_out
            sizes[rows] -= left_out.sum(axis=1)
        ranks[rows] = np.where(positive == 0, sizes[rows], beats.sum(axis=1))
    return ranks, sizes


def _no_worse(scores: NDArray[np.float32], positive: NDArray[np.float32]) -> NDArray[np.bool_]:
    # Not `scores >= …`: a model that has diverged gives NaN, which compares false to everything and would rank first.
    return ~(scores < positive - TIE)


def pair_accuracy(
    queries: NDArray[np.float32],
    positives: NDArray[np.float32],
    candidates: NDArray[np.float32],
    negative: NDArray[np.int64],
) -> float | None:
    """Percent of queries nearer to their positive than to one negative (ties count against us); None without any."""
    there = negative >= 0
    if not there.any():
        return None
    near = np.einsum("qd,qd->q", queries[there], positives[there])
    far = np.einsum("qd,qd->q", queries[there], candidates[negative[there]])
    return float(100 * (near > far + TIE).mean())
