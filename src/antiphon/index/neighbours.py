"""The windows of a library that are nearest to others: exact, or by a quantised copy whose recall is known.

Nearest means highest cosine. All vectors are unit vectors, so it is the inner product.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from antiphon.process_memory import release_mapped

EXACT_BELOW = 200_000
"""A library of fewer windows is compared whole: 60 ms of one core at most for 10 queries of 256 dimensions."""
CHUNK_VALUES = 1 << 22
"""Values that are widened to float32 at once: 16 MiB."""

Nearest = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Cosines [q, count], highest first, and the rows they belong to [q, count]; −1 and −1 where there are fewer."""


class ApproximateSearch(Protocol):
    """A compressed copy of a library's vectors, see `antiphon.index.quantised`."""

    def nearest(self, vectors: NDArray[np.float16], queries: NDArray[np.float32], count: int) -> Nearest:
        """The `count` rows of `vectors` [n, D] nearest to each of `queries` [q, D], some of them missed."""
        ...


class Neighbours:
    """Answers which rows of `vectors` float16 [n, D] are nearest: all are compared, or those that `quantised` names.

    A filter always compares all rows that it leaves: those that are nearest without it may tell nothing of them.
    """

    def __init__(self, vectors: NDArray[np.float16], quantised: ApproximateSearch | None = None) -> None:
        self._vectors = vectors
        self._quantised = quantised

    def nearest(self, queries: NDArray[np.float32], count: int, among: NDArray[np.bool_] | None = None) -> Nearest:
        """The `count` rows nearest to each of `queries` [q, D]; `among` [n] is True for the rows allowed (all)."""
        if self._quantised is not None and among is None:
            found = self._quantised.nearest(self._vectors, queries, count)
        else:
            found = nearest_exact(self._vectors, queries, count, None if among is None else np.flatnonzero(among))
        if self._quantised is not None:  # the vectors are many: what was read of them would pile up
            release_mapped(self._vectors)
        return found


def nearest_exact(
    vectors: NDArray[np.float16], queries: NDArray[np.float32], count: int, rows: NDArray[np.int64] | None = None
) -> Nearest:
    """The nearest by comparing with every row, or with `rows` alone. Equal cosines come in no particular order."""
    compared, dimensions = len(vectors) if rows is None else len(rows), vectors.shape[1]
    size = max(1, CHUNK_VALUES // dimensions)
    wanted = torch.from_numpy(queries)
    widened = torch.empty(min(size, compared), dimensions)  # reused: fresh memory costs more than the arithmetic
    best = torch.full((len(queries), count), -torch.inf)
    place = torch.full((len(queries), count), -1)
    for begin in range(0, compared, size):
        chunk = slice(begin, begin + size)
        half = torch.from_numpy(np.array(vectors[chunk if rows is None else rows[chunk]]))
        cosine, at = (wanted @ widened[: len(half)].copy_(half).T).topk(min(count, len(half)), dim=1)
        best, order = torch.cat([best, cosine], dim=1).topk(count, dim=1)
        place = torch.cat([place, at + begin], dim=1).gather(1, order)
    found = place.numpy()
    if rows is not None and len(rows):
        found = np.where(found < 0, -1, rows[found])
    return np.where(found < 0, np.float32(-1.0), best.numpy()), found


def rank_candidates(
    vectors: NDArray[np.float16], queries: NDArray[np.float32], count: int, candidates: list[NDArray[np.int64]]
) -> Nearest:
    """The nearest of each query's own candidate rows [c], whose cosines are computed for it."""
    best = np.full((len(queries), count), -1.0, np.float32)
    found = np.full((len(queries), count), -1)
    for number, (query, rows) in enumerate(zip(queries, candidates, strict=True)):
        cosine = cosines(query[None], vectors[rows])[0]
        order = np.argsort(-cosine, kind="stable")[:count]
        best[number, : len(order)], found[number, : len(order)] = cosine[order], rows[order]
    return best, found


def cosines(queries: NDArray[np.float32], vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Cosines [q, n] of unit vectors; widened by torch, whose conversion from half precision is vectorised."""
    return (torch.from_numpy(queries) @ torch.from_numpy(np.array(vectors)).float().T).numpy()
