"""Fewer hubs: rows that are near everything are found by a bank of training windows and held back.

Source: cross-domain similarity local scaling, Conneau et al. (2018), with the neighbours taken from a bank of queries
as in Bogolin et al. (2022), so that nothing of what is searched with or in is looked at beforehand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
_AT_ONCE = 4096


def closeness(rows: Rows, bank: Rows, neighbours: int) -> NDArray[np.float32]:
    """Mean cosine of each row [n, D] and its nearest `neighbours` of the bank [b, D]: [n]. Rows are unit vectors."""
    if not 0 < neighbours <= len(bank):
        raise ValueError(f"of a bank of {len(bank)} rows, 1 to {len(bank)} can be neighbours, not {neighbours}")
    parts = (rows[begin : begin + _AT_ONCE] @ bank.T for begin in range(0, len(rows), _AT_ONCE))
    return np.concatenate([np.partition(part, -neighbours, axis=1)[:, -neighbours:].mean(axis=1) for part in parts])


def csls(asking: Rows, answering: Rows, bank: Rows, neighbours: int = 100, weight: float = 0.5) -> tuple[Rows, Rows]:
    """Both sides with one dimension more, whose dot product is cosine − weight · closeness of the answer to the bank.

    `bank` [b, D] is of the asking side. Rows of zeros stay zeros: nothing is held back, nothing found.
    """
    held = -weight * closeness(answering, bank, neighbours)[:, None]
    one = np.any(asking, axis=1, keepdims=True).astype(np.float32)
    held *= np.any(answering, axis=1, keepdims=True)
    return np.concatenate([asking, one], axis=1), np.concatenate([answering, held], axis=1)
