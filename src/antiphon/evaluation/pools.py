"""Candidate pools of 256 around each query (paper §6), as published and in a stricter form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.corpora.segment_table import SegmentTable

QUERIES = 500
POOL_SIZE = 256
SAME_RECORDING = 64
SAME_COMPOSER = 32


@dataclass(frozen=True)
class Pools:
    """Queries and their candidates, as rows of a segment table.

    `query` int [q]; `candidate` int [q, pool], the positive first, padded with -1. `same_piece` and `other_piece` int
    [q] are one negative each, of the query's recording and of another one, -1 where there is none.
    """

    query: NDArray[np.int64]
    candidate: NDArray[np.int64]
    same_piece: NDArray[np.int64]
    other_piece: NDArray[np.int64]


def sample_pools(table: SegmentTable, strict: bool, seed: int = 42) -> Pools:
    """Draw 500 queries and a pool of 256 candidates for each; both directions use the same ones.

    A pool has the positive, 64 windows of the same recording, 32 of other recordings of the same composer, and the rest
    from other recordings, as far as the corpus has them. `strict` excludes false negatives: windows that overlap the
    positive in time and windows of other performances of its work.
    """
    rng = np.random.default_rng(seed)
    queries = np.sort(rng.choice(len(table), size=min(QUERIES, len(table)), replace=False))
    candidates = np.full((len(queries), POOL_SIZE), -1, np.int64)
    same_piece, other_piece = np.full((2, len(queries)), -1, np.int64)
    for row, query in enumerate(queries):
        allowed = ~false_negatives(table, query[None])[0] if strict else np.ones(len(table), bool)
        allowed[query] = False
        same = table.recording == table.recording[query]
        within = _draw(rng, allowed & same, SAME_RECORDING)
        same_composer = _draw(rng, allowed & ~same & (table.composer == table.composer[query]), SAME_COMPOSER)
        allowed[same_composer] = False
        rest = _draw(rng, allowed & ~same, POOL_SIZE - 1 - len(within) - len(same_composer))
        pool = np.concatenate([[query], within, same_composer, rest])
        candidates[row, : len(pool)] = pool
        same_piece[row] = within[0] if len(within) else -1
        other_piece[row] = rest[0] if len(rest) else -1
    return Pools(queries, candidates, same_piece, other_piece)


def false_negatives(table: SegmentTable, query: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The false-negative mask of each query: bool [q, n].

    True for windows that overlap the query's window in time (itself included) and for other performances of its work.
    """
    same_recording = table.recording[query][:, None] == table.recording[None]
    overlapping = np.abs(table.start_s[query][:, None] - table.start_s[None]) < table.window_s
    same_work = table.work[query][:, None] == table.work[None]
    return same_work & (~same_recording | overlapping)


def _draw(rng: np.random.Generator, allowed: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    choices = np.flatnonzero(allowed)
    return rng.choice(choices, size=min(count, len(choices)), replace=False)
