"""CSLS: a correction for hubness, the tendency of some vectors to be near neighbours of many others.

Source: cross-domain similarity local scaling, Conneau et al. (2018), "Word translation without parallel data". As in
Bogolin et al. (2022), "Cross modal retrieval with querybank normalisation", neighbours come from a bank of training
windows, so the correction depends neither on the other queries nor on the other candidates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
_CHUNK = 4096


def closeness(rows: Rows, bank: Rows, neighbours: int) -> NDArray[np.float32]:
    """Mean cosine of each row [n, D] with its nearest `neighbours` rows of the bank [b, D]: [n].

    Rows are unit vectors. Raises `ValueError` for fewer than 1 or more than b neighbours.
    """
    if not 0 < neighbours <= len(bank):
        raise ValueError(f"a bank of {len(bank)} rows allows 1 to {len(bank)} neighbours, not {neighbours}")
    parts = (rows[begin : begin + _CHUNK] @ bank.T for begin in range(0, len(rows), _CHUNK))
    return np.concatenate([np.partition(part, -neighbours, axis=1)[:, -neighbours:].mean(axis=1) for part in parts])


def csls(queries: Rows, candidates: Rows, bank: Rows, neighbours: int = 100, weight: float = 0.5) -> tuple[Rows, Rows]:
    """Queries [q, D + 1] and candidates [n, D + 1] whose dot product is cosine − weight · closeness(candidate, bank).

    `bank` [b, D] has the modality of the queries. Rows of zeros stay zeros. Raises `ValueError` as `closeness` does.
    """
    correction = -weight * closeness(candidates, bank, neighbours)[:, None]
    one = np.any(queries, axis=1, keepdims=True).astype(np.float32)
    correction *= np.any(candidates, axis=1, keepdims=True)
    return np.concatenate([queries, one], axis=1), np.concatenate([candidates, correction], axis=1)
