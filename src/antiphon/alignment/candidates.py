"""Votes: where a stretch of a query may come from, by the windows of the library that resemble its windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELL_S = 0.5
_BESIDE = 0.7  # what a window counts for the cells beside its own


@dataclass(frozen=True)
class Candidate:
    """A stretch's first moment may be at `start_s` of a recording, at `tempo`, `semitones` above the library.

    `votes` is the mean over the stretch's windows of the cosine with which each speaks for it, at most 1.
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
    most: int,
) -> list[Candidate]:
    """The places that most windows speak for, best first, at most `most` and none beside another.

    `window_s` [q] says when each window begins in the stretch; `cosine`, `recording` and `library_s` [q, k] are its
    nearest windows in the library: how near, whose, and when they begin; a recording of −1 is none. Each window speaks
    for the place where the stretch would begin, counted in cells of half a second, and less for the cells beside.
    """
    start_s = library_s - tempo * window_s[:, None]
    cell = np.rint(start_s / CELL_S).astype(np.int64)
    window = np.broadcast_to(np.arange(len(window_s))[:, None], cell.shape)
    heard = recording >= 0
    if not heard.any():
        return []
    parts = [(cell[heard] + beside, cosine[heard] * (_BESIDE if beside else 1.0)) for beside in (-1, 0, 1)]
    cells, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    owner, who = np.tile(recording[heard], 3), np.tile(window[heard], 3)
    # A window speaks once for a cell: by its nearest library window there.
    order = np.lexsort((-weight, who, cells, owner))
    owner, cells, who, weight = owner[order], cells[order], who[order], weight[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(owner) != 0) | (np.diff(cells) != 0) | (np.diff(who) != 0)
    owner, cells, weight = owner[first], cells[first], weight[first]
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(owner) != 0) | (np.diff(cells) != 0)]))
    total = np.add.reduceat(weight, begins) / len(window_s)
    places = [
        Candidate(int(owner[begins[at]]), float(cells[begins[at]] * CELL_S), tempo, semitones, float(total[at]))
        for at in np.argsort(-total, kind="stable")[: 8 * most]
    ]
    return suppress_neighbours(places, most)


def suppress_neighbours(places: list[Candidate], most: int) -> list[Candidate]:
    """The best places, none within a cell of a better one in the same recording."""
    kept: list[Candidate] = []
    for place in sorted(places, key=lambda place: -place.votes):
        if len(kept) == most:
            break
        if all(
            place.recording != other.recording
            or place.semitones != other.semitones
            or abs(place.start_s - other.start_s) > CELL_S
            for other in kept
        ):
            kept.append(place)
    return kept
