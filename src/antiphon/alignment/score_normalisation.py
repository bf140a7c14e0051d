"""Score normalisation: how far each local alignment's score exceeds the score that unrelated music reaches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from antiphon.alignment.candidates import Candidate
from antiphon.alignment.chaining import Link
from antiphon.alignment.local_alignment import LocalAlignment

_SAME_PLACE_S = 0.4
_DEVIATIONS = 2.0
_SD_OF_MAD = 1.4826  # a normal distribution's standard deviation in median absolute deviations


def chance_score(aligned: Sequence[tuple[Candidate, LocalAlignment]]) -> float:
    """Two standard deviations above the mean score of unrelated music; infinite without any alignment.

    Most candidates are unrelated to the query. Median and median absolute deviation estimate mean and deviation, so
    that the few related ones, repeats and copies included, have little influence.
    """
    if not aligned:
        return math.inf
    scores = np.array([alignment.score for _, alignment in aligned])
    median = float(np.median(scores))
    return median + _DEVIATIONS * _SD_OF_MAD * float(np.median(np.abs(scores - median)))


def normalised_links(
    stretch: int, begin_s: float, length_s: float, aligned: Sequence[tuple[Candidate, LocalAlignment]], chance: float
) -> list[Link]:
    """Links of one stretch, `length_s` of the query from `begin_s` on, in order of falling score.

    `aligned` are the stretch's local alignments at one or several playbacks. A link's evidence is its score above
    `chance`, at least 0. Of several alignments within 0.4 s in one recording, the best is kept.
    """
    scores = np.array([alignment.score for _, alignment in aligned])
    links: list[Link] = []
    for index in np.argsort(-scores, kind="stable"):
        candidate, alignment = aligned[index]
        if not any(
            link.recording == candidate.recording and abs(link.start_s - alignment.start_s) < _SAME_PLACE_S
            for link in links
        ):
            evidence = max(0.0, alignment.score - chance)
            where = (candidate.recording, candidate.semitones, alignment.start_s, alignment.tempo)
            links.append(Link(stretch, begin_s, length_s, *where, alignment.score, evidence, alignment.pairs))
    return links
