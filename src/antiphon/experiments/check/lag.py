"""The lag between notes and sound of one clock, by cross-correlation of their onset maps.

It needs no path, so it holds where half of the notes are missing and an alignment is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.alignment.events import Events
from antiphon.alignment.note_times import note_times
from antiphon.experiments.check.deviation import Clocks, fit_clocks
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap, predicted_onsets_of

_FURTHEST_S = 60.0
_NEAR_S = 0.5
_PLAYED = 0.5
LEAD = 8.0
"""The lead from which a pair is one performance: right pairs have 46 or more, also with half of the notes, and wrong
ones less than 2."""


@dataclass(frozen=True)
class Lag:
    """How much later the recording is than the notes in seconds, and by how many standard deviations of the
    cross-correlation at other lags this lag exceeds the greatest of them."""

    lag_s: float
    lead: float


def lag_of(onsets: OnsetMap, notes: Notes) -> Lag:
    """The lag within ± 60 s at which the onset map [88, frames] of a recording agrees best with notes."""
    return lag_between(onsets, predicted_onsets_of(notes)) if len(notes) else Lag(0.0, 0.0)


def lag_between(played: OnsetMap, written: OnsetMap) -> Lag:
    """The lag of two maps of the same rows."""
    if not played.any() or not written.any():
        return Lag(0.0, 0.0)
    size = 1 << int(np.ceil(np.log2(played.shape[1] + written.shape[1])))
    spectrum = np.zeros(size // 2 + 1, np.complex128)
    for one, other in zip(played, written, strict=True):
        if other.any():  # the mean of a row says nothing about the lag
            spectrum += np.fft.rfft(one - one.mean(), size) * np.conj(np.fft.rfft(other, size))
    reach = min(round(_FURTHEST_S * FRAME_HZ), size // 2 - 1)
    agreement = np.roll(np.fft.irfft(spectrum, size), reach)[: 2 * reach + 1]
    best = int(agreement.argmax())
    others = np.abs(np.arange(len(agreement)) - best) > _NEAR_S * FRAME_HZ
    if not others.any():
        return Lag(0.0, 0.0)
    lead = float((agreement[best] - agreement[others].max()) / max(agreement[others].std(), 1e-9))
    return Lag((best - reach) / FRAME_HZ, lead)


def pitch_classes(onsets: OnsetMap) -> OnsetMap:
    """An onset map [88, frames] with its octaves added: [12, frames]."""
    return np.stack([onsets[row::12].sum(axis=0) for row in range(12)])


def clocks_at(onsets: OnsetMap, notes: Notes, lag_s: float) -> Clocks:
    """The clocks by the notes that are played near their onset plus the lag."""
    events = Events.of(notes.onset_s, notes.pitch, 0)
    times = note_times(onsets, events, events.onset_s + lag_s)
    played = times.height >= _PLAYED
    pitch, velocity = (column[played].astype(np.float64) for column in (notes.pitch, notes.velocity))
    return fit_clocks(notes.onset_s[played], (times.time_s - notes.onset_s)[played], pitch, velocity)
