"""What fits speak for: of all places that a stretch was tried at, which it fits better than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from antiphon.alignment.candidates import Candidate
from antiphon.alignment.chaining import Link
from antiphon.alignment.local_alignment import LocalAlignment

_SAME_S = 0.4
_DEVIATIONS = 2.0


def chance_score(found: Sequence[tuple[Candidate, LocalAlignment]]) -> float:
    """Two standard deviations above the mean score of unrelated music; infinite where nothing was found.

    Most places are unrelated, so both are estimated by medians, and repeats and copies do not count.
    """
    if not found:
        return math.inf
    scores = np.array([fit.score for _, fit in found])
    median = float(np.median(scores))
    return median + _DEVIATIONS * 1.4826 * float(np.median(np.abs(scores - median)))


def normalised_links(
    stretch: int, begin_s: float, length_s: float, found: Sequence[tuple[Candidate, LocalAlignment]], chance: float
) -> list[Link]:
    """Links of one stretch, `length_s` of the query from `begin_s` on, the heaviest first, at most one at a place.

    `found` are the fits of a stretch that was heard in one way or in several. What a fit has above `chance` is its
    weight.
    """
    scores = np.array([fit.score for _, fit in found])
    links: list[Link] = []
    for number in np.argsort(-scores, kind="stable"):
        place, fit = found[number]
        if not any(one.recording == place.recording and abs(one.start_s - fit.start_s) < _SAME_S for one in links):
            where = (place.recording, place.semitones, fit.start_s, fit.tempo)
            links.append(Link(stretch, begin_s, length_s, *where, fit.score, max(0.0, fit.score - chance)))
    return links
