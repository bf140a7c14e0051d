"""Levels: how loud a sound is, and whether notes sound, at the frames of the onset features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.onset_features import FRAME_HZ
from antiphon.types import SampleArray

LEVEL_HZ = FRAME_HZ

Levels = NDArray[np.float32]
"""Level of each frame, 0 for silence: [frames]. Only the ratios of one file's levels have a meaning."""


def sound_levels(samples: SampleArray, sample_rate_hz: int, begin_s: float, end_s: float) -> Levels:
    """Root mean square of mono audio in frames of 20 ms from `begin_s` to `end_s`; zeros beyond its ends.

    >>> tone = np.full(2400, 0.5, np.float32)
    >>> sound_levels(tone, 24_000, 0.04, 0.14).round(1).tolist()
    [0.5, 0.5, 0.5, 0.0, 0.0]
    """
    count, size = round((end_s - begin_s) * LEVEL_HZ), sample_rate_hz // LEVEL_HZ
    first = round(begin_s * sample_rate_hz)
    part = samples[max(0, first) : max(0, first + count * size)]
    before = min(max(0, -first), count * size)
    part = np.pad(part, (before, count * size - before - len(part))).reshape(count, size)
    return np.sqrt(np.einsum("ts,ts->t", part, part) / np.float32(size))


def note_levels(onset_s: NDArray[np.float64], last_s: float, begin_s: float, end_s: float) -> Levels:
    """1 from the first onset to the end of the last note at `last_s`, 0 outside, in frames from `begin_s` to `end_s`.

    >>> note_levels(np.array([1.0]), 1.06, 0.96, 1.1).tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    first_s = onset_s.min(initial=np.inf)
    at_s = begin_s + np.arange(round((end_s - begin_s) * LEVEL_HZ)) / LEVEL_HZ
    return ((at_s > first_s - 0.5 / LEVEL_HZ) & (at_s < last_s - 0.5 / LEVEL_HZ)).astype(np.float32)
