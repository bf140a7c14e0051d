"""Candidates: the places of the library that the nearest neighbours of a stretch's windows vote for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL_S = 0.5
_ADJACENT_CELL_WEIGHT = 0.7  # of a window's vote, for the cells before and after its own


@dataclass(frozen=True)
class Candidate:
    """A place where a stretch may begin: `start_s` of a recording, at `tempo`, `semitones` above the library.

    `votes` is the sum of the cosines that vote for the place, divided by the number of windows: at most 1.
    """

    recording: int
    start_s: float
    tempo: float
    semitones: int
    votes: float


def vote(
    window_s: NDArray[np.float64],
    cosine: NDArray[np.float32],
    recording: NDArray[np.int64],
    library_s: NDArray[np.float64],
    tempo: float,
    semitones: int,
    limit: int,
) -> list[Candidate]:
    """The candidates with the most votes, best first, at most `limit`, none adjacent to a better one.

    `window_s` [q] are the starts of the windows in the stretch. `cosine`, `recording` and `library_s` [q, k] describe
    the nearest library windows of each: cosine, recording and start; recording −1 marks a missing neighbour. Each
    neighbour votes for the place where the stretch would begin, in cells of 0.5 s, and with 0.7 of its cosine for the
    two adjacent cells. A window counts once per cell, with its highest cosine.
    """
    start_s = library_s - tempo * window_s[:, None]
    cell = np.rint(start_s / CELL_S).astype(np.int64)
    window = np.broadcast_to(np.arange(len(window_s))[:, None], cell.shape)
    present = recording >= 0
    if not present.any():
        return []
    parts = [
        (cell[present] + offset, cosine[present] * (_ADJACENT_CELL_WEIGHT if offset else 1.0)) for offset in (-1, 0, 1)
    ]
    cells, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    owner, voter = np.tile(recording[present], 3), np.tile(window[present], 3)
    # One vote per window and cell: that of its nearest library window.
    order = np.lexsort((-weight, voter, cells, owner))
    owner, cells, voter, weight = owner[order], cells[order], voter[order], weight[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(owner) != 0) | (np.diff(cells) != 0) | (np.diff(voter) != 0)
    owner, cells, weight = owner[first], cells[first], weight[first]
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(owner) != 0) | (np.diff(cells) != 0)]))
    total = np.add.reduceat(weight, begins) / len(window_s)
    candidates = [
        Candidate(int(owner[begins[at]]), float(cells[begins[at]] * CELL_S), tempo, semitones, float(total[at]))
        for at in np.argsort(-total, kind="stable")[: 8 * limit]
    ]
    return suppress_neighbours(candidates, limit)


def suppress_neighbours(candidates: list[Candidate], limit: int) -> list[Candidate]:
    """The `limit` best candidates, none within a cell of a better one in the same recording and transposition."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda candidate: -candidate.votes):
        if len(kept) == limit:
            break
        if all(
            candidate.recording != better.recording
            or candidate.semitones != better.semitones
            or abs(candidate.start_s - better.start_s) > CELL_S
            for better in kept
        ):
            kept.append(candidate)
    return kept
