"""The ends of a match: from where to where two files are the same music along a known path.

A match extends as far as the onsets of both sides agree and both sound. Silence, applause, talk and other music before
and after the common part are no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.dtw import OnsetProducts, Seconds, Warp, onset_products
from antiphon.alignment.sound_levels import LEVEL_HZ, Levels
from antiphon.signal.onsets import Frames

_AGREEMENT = 0.75
"""Onsets extend a match from this multiple of the squared usual agreement on, which is about 0.45 between sound and
notes and 0.98 between two renderings of the same notes."""
_UNRELATED = 0.1
"""Agreement of unrelated music: the least that is required."""
_USUAL = 0.6
"""Quantile over blocks of the inner part that is the usual agreement: some of them may lie outside of the match."""
_BLOCK_S = 2.0
_IGNORED_ONSETS = 0.75
"""Disagreement, in onsets of one side alone, that does not end a match."""
_BEFORE_S = 0.2
"""The most by which a match begins before its first onset, except at the beginning of the query."""
_CUT_S = 0.16
"""A side that is cut off within a note begins with an onset that the other side does not have."""
_SILENCE = 10 ** (-40 / 20)
"""Level below which a side is silent, relative to its loud frames within the match."""
_LOUD = 0.95


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a match: onset frames [n, bands] and levels [n], 50 a second, the first at its second `begin_s`."""

    frames: Frames
    levels: Levels
    begin_s: float = 0.0


def ends_of_match(query: Side, library: Side, path: Warp, inner_s: tuple[float, float]) -> tuple[float, float]:
    """Start and end of the match around the middle of `inner_s`, in seconds from the first frame of the query.

    `path` maps these seconds to those of the library file. `inner_s` is a part of the query that matches for the most
    part; the agreement in it is the usual one. The match extends from there to both sides as far as the onsets that
    agree outweigh those that do not, and over pauses between onsets as long as both sides sound.
    """
    products = onset_products(query.frames, library.frames, library.begin_s, path)
    gain, ignored = _gain(products, inner_s)
    middle = int(np.searchsorted(products.query_s, (inner_s[0] + inner_s[1]) / 2))
    onsets, before = _reach(gain[:middle][::-1], ignored)
    first = 0 if before == middle else middle - min(before, onsets + round(_BEFORE_S * products.rate_hz))
    last = middle + _reach(gain[middle:], ignored)[1]
    time_s = products.query_s[first:last]
    if len(time_s) == 0:
        return inner_s
    sounding = np.flatnonzero(_sounds(query, time_s) & _sounds(library, path.at(time_s)))
    if len(sounding) == 0:
        return inner_s
    return float(time_s[sounding[0]]), float(time_s[sounding[-1]]) + 1 / products.rate_hz


def _gain(products: OnsetProducts, inner_s: tuple[float, float]) -> tuple[NDArray[np.float64], float]:
    """Agreement of each time above the required one [times], and the disagreement to ignore."""
    inner = (products.query_s >= inner_s[0]) & (products.query_s < inner_s[1])
    block = (products.query_s[inner] / _BLOCK_S).astype(np.int64)
    common, energy = (np.bincount(block, each[inner]) for each in (products.common, products.energy))
    share = common[energy > 0] / energy[energy > 0]
    usual = max(0.0, float(np.quantile(share, _USUAL))) if len(share) else 0.0
    required = max(_UNRELATED, _AGREEMENT * usual**2)
    gain = products.common - required * products.energy
    cut = products.query_s < _CUT_S
    gain[cut] = np.maximum(gain[cut], 0.0)
    return gain, _IGNORED_ONSETS * required


def _reach(gain: NDArray[np.float64], ignored: float) -> tuple[int, int]:
    """The number of values up to the largest sum, and up to the last that lowers it by less than `ignored`."""
    total = np.concatenate([[0.0], np.cumsum(gain)])
    best = int(total.argmax())
    below = np.flatnonzero(total[best:] < total[best] - ignored)
    return best, best + int(below[0]) - 1 if len(below) else len(gain)


def _sounds(side: Side, times_s: Seconds) -> NDArray[np.bool_]:
    """Whether the side sounds [times]; outside of its frames it is silent."""
    frame = np.floor((times_s - side.begin_s) * LEVEL_HZ + 1e-6).astype(np.int64)
    levels = np.pad(side.levels, 1)[np.clip(frame + 1, 0, len(side.levels) + 1)]
    return levels > _SILENCE * np.quantile(levels, _LOUD)
