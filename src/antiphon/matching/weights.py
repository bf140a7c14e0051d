"""What fits speak for: of all places that a stretch was tried at, which it fits better than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.matching.chains import Link
from antiphon.matching.fits import Fit
from antiphon.matching.places import Place

_SAME_S = 0.4
_DEVIATIONS = 2.0


def weighed(stretch: int, begin_s: float, length_s: float, found: Sequence[tuple[Place, Fit]]) -> list[Link]:
    """Links of one stretch, `length_s` of the query from `begin_s` on, the heaviest first, at most one at a place.

    `found` are the fits of a stretch that was heard in one way or in several. What a fit has above chance is its
    weight; chance is two standard deviations above what fits of unrelated music reach. Most places are such, so both
    are estimated by medians, and repeats and copies do not count.
    """
    if not found:
        return []
    scores = np.array([fit.score for _, fit in found])
    chance = float(np.median(scores))
    chance += _DEVIATIONS * 1.4826 * float(np.median(np.abs(scores - chance)))
    links: list[Link] = []
    for number in np.argsort(-scores, kind="stable"):
        place, fit = found[number]
        if not any(one.recording == place.recording and abs(one.start_s - fit.start_s) < _SAME_S for one in links):
            where = (place.recording, place.semitones, fit.start_s, fit.tempo)
            links.append(Link(stretch, begin_s, length_s, *where, fit.score, max(0.0, fit.score - chance)))
    return links
