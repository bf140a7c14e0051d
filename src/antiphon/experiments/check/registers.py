"""Which notes of a pair are heard, by register: a hand that is missing leaves one side of a pitch unheard or unwritten.

Counts read the onset map near the expected times, and again at moments before and after, where an onset is chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.experiments.check.deviation import Values
from antiphon.io.notes import Notes
from antiphon.models.note_onsets import FRAME_HZ, KEYS, LOWEST_KEY, OnsetMap

_REACH = 5  # frames to either side of the expected time
_CLEAR = 0.5
_BY_CHANCE_S = (-0.83, -0.47, 0.47, 0.83)
_LOWEST = 40  # of the keys below E2 the onset network hears too few
_FEWEST, _LEAST_SHARE = 20, 0.2  # of a register
_EDGE_S = 0.3
_SAME_ONSET_S = 0.06


@dataclass(frozen=True)
class Split:
    """The registers below `pitch` and from it up.

    `below` and `above` are the shares of their notes that are heard, or of their onsets that are written.
    """

    pitch: int
    below: float
    above: float

    @property
    def lower(self) -> float:
        """The lower one of both shares."""
        return min(self.below, self.above)

    @property
    def ratio(self) -> float:
        """The lower share by the higher one."""
        return self.lower / max(self.below, self.above, 1e-9)


@dataclass(frozen=True, eq=False)
class Registers:
    """`pitch` [n] of the notes from E2 up that the recording covers and `heard` [n], whether each is heard at its time;
    `heard_by_chance` is the share of the same at other times. `onset_pitch` [m] of the clear onsets of the recording
    that the notes cover and `written` [m], whether each belongs to a note."""

    pitch: NDArray[np.int64]
    heard: NDArray[np.bool_]
    heard_by_chance: float
    onset_pitch: NDArray[np.int64]
    written: NDArray[np.bool_]

    @property
    def heard_share(self) -> float:
        """The share of the notes that are heard; NaN without notes."""
        return float(self.heard.mean()) if len(self.heard) else float("nan")

    @property
    def written_share(self) -> float:
        """The share of the clear onsets that are in the notes; NaN without onsets."""
        return float(self.written.mean()) if len(self.written) else float("nan")

    def unheard_split(self) -> Split | None:
        """The split of the notes into registers whose shares of heard notes differ most."""
        return _split(self.pitch, self.heard)

    def unwritten_split(self) -> Split | None:
        """The split of the onsets into registers whose shares of written onsets differ most."""
        return _split(self.onset_pitch, self.written)


def registers_of(onsets: OnsetMap, notes: Notes, at_s: Values) -> Registers:
    """Compare n notes with the onset map [88, frames] of the recording at `at_s` [n], their expected times or NaN."""
    key = notes.pitch.astype(np.int64) - LOWEST_KEY
    end_s = onsets.shape[1] / FRAME_HZ
    kept = np.isfinite(at_s) & (at_s >= 0) & (at_s <= end_s - _EDGE_S) & (key >= 0) & (key < KEYS)
    at_s, key = at_s[kept], key[kept]
    onset_key, written = _written(onsets, key, at_s)
    high = key >= _LOWEST - LOWEST_KEY
    at_s, key = at_s[high], key[high]
    heard = _height(onsets, key, at_s) >= _CLEAR
    chance = [(_height(onsets, key, at_s + shift) >= _CLEAR).mean() for shift in _BY_CHANCE_S] if len(key) else [0.0]
    return Registers(key + LOWEST_KEY, heard, float(np.mean(chance)), onset_key + LOWEST_KEY, written)


def _height(onsets: OnsetMap, key: NDArray[np.int64], at_s: Values) -> Values:
    """The greatest probability of an onset of each key near a time; 0 outside the recording."""
    frame = np.rint(at_s * FRAME_HZ).astype(np.int64)[:, None] + np.arange(-_REACH, _REACH + 1)
    inside = (frame >= 0) & (frame < onsets.shape[1])
    value = onsets[key[:, None], np.clip(frame, 0, onsets.shape[1] - 1)]
    return np.where(inside, value, 0).max(axis=1).astype(np.float64)


def _written(onsets: OnsetMap, key: NDArray[np.int64], at_s: Values) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The keys of the clear onsets from the first note to the last, and whether a note of that key is near each."""
    if len(key) == 0 or onsets.shape[1] < 3:
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    middle = onsets[:, 1:-1]
    peak = (middle >= onsets[:, :-2]) & (middle > onsets[:, 2:]) & (middle >= _CLEAR)
    onset_key, frame = np.nonzero(peak)
    time_s = (frame + 1) / FRAME_HZ
    covered = (time_s >= at_s.min() - _EDGE_S) & (time_s <= at_s.max() + _EDGE_S)
    onset_key, time_s = onset_key[covered], time_s[covered]
    apart_s = onsets.shape[1] / FRAME_HZ + 10.0  # all keys on one axis, where other keys are far away
    own = np.concatenate([[-np.inf], np.sort(at_s + key * apart_s), [np.inf]])
    place_s = time_s + onset_key * apart_s
    after = np.searchsorted(own, place_s)
    distance_s = np.minimum(np.abs(own[after] - place_s), np.abs(own[after - 1] - place_s))
    return onset_key, distance_s <= _SAME_ONSET_S


def _split(pitch: NDArray[np.int64], there: NDArray[np.bool_]) -> Split | None:
    """The split at which the shares of both sides differ most; None where a side would have too few."""
    best: Split | None = None
    for at in np.unique(pitch):
        below = pitch < at
        count = int(below.sum())
        if min(count, len(pitch) - count) < max(_FEWEST, _LEAST_SHARE * len(pitch)):
            continue
        one = Split(int(at), float(there[below].mean()), float(there[~below].mean()))
        if best is None or abs(one.below - one.above) > abs(best.below - best.above):
            best = one
    return best
