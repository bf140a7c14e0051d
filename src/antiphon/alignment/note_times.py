"""The moment of each note: the peak of its own key near the time of its event, between frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.events import Events, Seconds
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap

_REACH = 8  # frames to either side of the event
_NEAR = 5.0  # frames over which a peak's height counts e times less
FAINT = 0.05
"""Probability up to which a peak tells nothing of a note's time."""
_EDGE = 2  # frames of silence before and after a recording, so that a peak may lie on its edge


@dataclass(frozen=True, eq=False)
class NoteTimes:
    """Seconds of the recording of n notes, and their evidence.

    `height` [n] is the probability of an onset of the note's own key at its peak, 0 where it has none. Where it is 0.05
    or less, the time is that of the event. `from_event_s` [n] is the time from the event to the peak.
    """

    time_s: Seconds
    height: NDArray[np.float64]
    from_event_s: Seconds


def note_times(onsets: OnsetMap, events: Events, times_s: Seconds) -> NoteTimes:
    """The times of the notes of `events`, whose own times are `times_s` [K]. A peak belongs to one note at most."""
    at_s = times_s[events.event]
    count = len(at_s)
    height, shift_s = np.zeros(count), np.zeros(count)
    onsets = np.pad(onsets, ((0, 0), (_EDGE, _EDGE)))
    frames = onsets.shape[1]
    at_s = at_s + _EDGE / FRAME_HZ
    centre = np.rint(at_s * FRAME_HZ).astype(np.int64)
    frame = centre[:, None] + np.arange(-_REACH, _REACH + 1)
    inside = (frame >= 1) & (frame < frames - 1) & (events.key >= 0)[:, None]
    frame = np.clip(frame, 1, frames - 2)
    key = np.maximum(events.key, 0)[:, None]
    value, before, after = (onsets[key, frame + step].astype(np.float64) for step in (0, -1, 1))
    peak = inside & (value >= before) & (value > after)
    worth = np.where(peak, value * np.exp(-np.abs(frame - at_s[:, None] * FRAME_HZ) / _NEAR), 0.0)
    best = worth.argmax(axis=1)
    row = np.arange(count)
    found = _first_of_each(events.key, frame[row, best], worth[row, best]) & peak[row, best]
    value, before, after = (side[row, best] for side in (value, before, after))
    # The target is a triangle, so the two highest values of three give its tip.
    lower, higher = np.minimum(before, after), np.maximum(before, after)
    tip = np.where(after >= before, 1, -1) * (higher - lower) / np.maximum(value - lower, 1e-9) / 2
    time_s = (frame[row, best] + np.clip(tip, -0.5, 0.5)) / FRAME_HZ
    height[found] = value[found]
    clear = found & (value > FAINT)
    shift_s[clear] = (time_s - at_s)[clear]
    return NoteTimes(at_s + shift_s - _EDGE / FRAME_HZ, height, shift_s)


def _first_of_each(key: NDArray[np.int64], frame: NDArray[np.int64], worth: NDArray[np.float64]) -> NDArray[np.bool_]:
    """True for the note of the greatest worth of each key and frame."""
    order = np.lexsort((-worth, frame, key))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(key[order]) != 0) | (np.diff(frame[order]) != 0)
    chosen = np.zeros(len(order), bool)
    chosen[order[first]] = True
    return chosen
