"""The heaviest rising subsequence: which of some points are in order, where a few are not."""

from __future__ import annotations

from collections.abc import Sequence


def heaviest_rising(values: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the strictly rising values (value, weight) with the largest sum of weights, in their order.

    >>> heaviest_rising([(0.0, 1.0), (1.0, 1.0), (9.0, 1.0), (3.0, 1.0), (4.0, 1.0)])
    [0, 1, 3, 4]
    >>> heaviest_rising([(0.0, 1.0), (9.0, 3.0), (3.0, 1.0), (4.0, 1.0)])
    [0, 1]
    """
    rank_of = {value: rank for rank, value in enumerate(sorted({value for value, _ in values}), 1)}
    best: list[tuple[float, int]] = [(0.0, -1)] * (len(rank_of) + 1)  # a Fenwick tree of maxima over ranks
    before = [-1] * len(values)
    heaviest = (0.0, -1)
    for index, (value, weight) in enumerate(values):
        found = (0.0, -1)
        rank = rank_of[value] - 1
        while rank > 0:
            found = max(found, best[rank])
            rank -= rank & -rank
        before[index] = found[1]
        reached = (found[0] + weight, index)
        heaviest = max(heaviest, reached)
        rank = rank_of[value]
        while rank < len(best):
            best[rank] = max(best[rank], reached)
            rank += rank & -rank
    kept = []
    index = heaviest[1]
    while index >= 0:
        kept.append(index)
        index = before[index]
    return kept[::-1]
