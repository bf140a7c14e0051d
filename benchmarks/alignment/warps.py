"""Known maps of time: a recording's notes as another player would place them, at another tempo and with swing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.dtw import Warp
from antiphon.io.notes import Notes

TEMPO, CURVE, SWING = (0.8, 1.25), 0.1, 0.15
_BEAT_S = 0.5
_PERIODS_S = (15.0, 60.0)

Seconds = NDArray[np.float64]


def draw_warp(duration_s: float, rng: np.random.Generator) -> Warp:
    """A map from seconds of the recording to seconds of warped notes, linear within beats of 0.5 s of the recording.

    The length of a beat is multiplied by one factor from 0.8 to 1.25 (drawn on a logarithmic scale), by a slow curve
    within ± 10 % (two sines of 15 to 60 s), and, in turn, by 1 + s and 1 - s with one s within ± 0.15.

    >>> warp = draw_warp(60.0, np.random.default_rng(1))
    >>> beats_s = np.diff(warp.library_s)
    >>> bool((beats_s > 0.5 * 0.8 * 0.9 * 0.85).all() and (beats_s < 0.5 * 1.25 * 1.1 * 1.15).all())
    True
    """
    beats = int(np.ceil(duration_s / _BEAT_S)) + 1
    begins_s: Seconds = np.asarray(np.arange(beats + 1) * _BEAT_S, np.float64)
    factor = np.exp(rng.uniform(*np.log(TEMPO)))
    middle_s = begins_s[:-1] + 0.5 * _BEAT_S
    curve = np.zeros(beats)
    for share in (0.6, 0.4):
        curve += share * np.sin(2.0 * np.pi * (middle_s / rng.uniform(*_PERIODS_S) + rng.uniform()))
    swing = rng.uniform(-SWING, SWING) * np.where(np.arange(beats) % 2, -1.0, 1.0)
    length_s = _BEAT_S * factor * (1.0 + CURVE * curve) * (1.0 + swing)
    return Warp(begins_s, np.asarray(np.concatenate([[0.0], np.cumsum(length_s)]), np.float64))


def warped(notes: Notes, warp: Warp) -> Notes:
    """The notes at the times to which a warp maps them."""
    onset_s, offset_s = warp.at(notes.onset_s), warp.at(notes.offset_s)
    return Notes.of(onset_s, offset_s - onset_s, notes.pitch, notes.velocity)
