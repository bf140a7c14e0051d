"""Which notes of a pair are played and which onsets are written, by register and by time.

A hand that is missing leaves the notes below or above a pitch unplayed, or their onsets unwritten; other music or
silence leaves a stretch of time so.

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
_MOST_PLAYED, _MOST_WRITTEN, _GREATEST_RATIO = 0.1, 0.3, 0.25
_WINDOW_S, _STEP_S = 4.0, 0.5
_FEWEST_NOTES_IN_WINDOW, _FEWEST_ONSETS_IN_WINDOW = 6.0, 8  # of notes, those that are usually played
_PLAYED_IN_WINDOW, _WRITTEN_IN_WINDOW = 0.03, 0.4  # times the shares of the whole pair
_EDGE_S = 0.3
_SAME_ONSET_S = 0.06


@dataclass(frozen=True)
class Split:
    """The registers below `pitch` and from it up.

    `below` and `above` are the shares of their notes that are played, or of their onsets that are written.
    """

    pitch: int
    below: float
    above: float

    @property
    def lower(self) -> float:
        """The lower one of both shares."""
        return min(self.below, self.above)

    @property
    def higher(self) -> float:
        """The higher one of both shares."""
        return max(self.below, self.above)


@dataclass(frozen=True, eq=False)
class Registers:
    """Notes from E2 up that the recording covers, and clear onsets of the recording that the notes cover.

    `note_s` and `pitch` [n] are their expected seconds in the recording and MIDI numbers, `played` [n] is whether each
    is played, and `usual` [n] the share of the pair's notes of like pitch and velocity that are; `played_by_chance` is
    the share at other times. `onset_s` and `onset_pitch` [m] are of the onsets, `written` [m] is whether each belongs
    to a note.
    """

    note_s: Values
    pitch: NDArray[np.int64]
    played: NDArray[np.bool_]
    usual: Values
    played_by_chance: float
    onset_s: Values
    onset_pitch: NDArray[np.int64]
    written: NDArray[np.bool_]

    @property
    def played_share(self) -> float:
        """The share of the notes that are played; NaN without notes."""
        return float(self.played.mean()) if len(self.played) else float("nan")

    @property
    def written_share(self) -> float:
        """The share of the clear onsets that are in the notes; NaN without onsets."""
        return float(self.written.mean()) if len(self.written) else float("nan")

    def unplayed_register(self) -> Split | None:
        """The split of the notes into registers of which one is next to never played, if there is one."""
        return _missing(self.pitch, self.played, _MOST_PLAYED)

    def unwritten_register(self) -> Split | None:
        """The split of the onsets into registers of which one is next to never written, if there is one."""
        return _missing(self.onset_pitch, self.written, _MOST_WRITTEN)

    def strange_stretches(self) -> list[tuple[float, float]]:
        """From when to when, in seconds of the recording, next to no note is played or few onsets are written."""
        if len(self.note_s) == 0:
            return []
        begins_s = np.arange(0.0, max(float(self.note_s.max()), _STEP_S), _STEP_S)
        _, played = _in_windows(self.note_s, self.played, begins_s)
        _, usual = _in_windows(self.note_s, self.usual, begins_s)
        onsets, written = _in_windows(self.onset_s, self.written, begins_s)
        strange = (usual >= _FEWEST_NOTES_IN_WINDOW) & (played <= _PLAYED_IN_WINDOW * usual)
        strange |= (onsets >= _FEWEST_ONSETS_IN_WINDOW) & (written <= _WRITTEN_IN_WINDOW * self.written_share * onsets)
        return [(float(begin_s), float(begin_s) + _WINDOW_S) for begin_s in begins_s[strange]]


def _in_windows(time_s: Values, worth: NDArray[np.generic], begins_s: Values) -> tuple[Values, Values]:
    """How many of n events lie in each window, and the sum of their worths."""
    order = np.argsort(time_s, kind="stable")
    first, last = (np.searchsorted(time_s[order], edge) for edge in (begins_s, begins_s + _WINDOW_S))
    total = np.concatenate([[0], np.cumsum(worth[order], dtype=np.float64)])
    return (last - first).astype(np.float64), total[last] - total[first]


def registers_of(onsets: OnsetMap, notes: Notes, at_s: Values) -> Registers:
    """Compare n notes with the onset map [88, frames] of the recording at `at_s` [n], their expected times or NaN."""
    key = notes.pitch.astype(np.int64) - LOWEST_KEY
    end_s = onsets.shape[1] / FRAME_HZ
    kept = np.isfinite(at_s) & (at_s >= 0) & (at_s <= end_s - _EDGE_S) & (key >= 0) & (key < KEYS)
    at_s, key = at_s[kept], key[kept]
    onset_s, onset_key, written = _written(onsets, key, at_s)
    high = key >= _LOWEST - LOWEST_KEY
    at_s, key, velocity = at_s[high], key[high], notes.velocity[kept][high].astype(np.int64)
    played = _height(onsets, key, at_s) >= _CLEAR
    chance = [(_height(onsets, key, at_s + shift) >= _CLEAR).mean() for shift in _BY_CHANCE_S] if len(key) else [0.0]
    chance_share = float(np.mean(chance))
    return Registers(
        note_s=at_s,
        pitch=key + LOWEST_KEY,
        played=played,
        usual=_usual(key, velocity, played),
        played_by_chance=chance_share,
        onset_s=onset_s,
        onset_pitch=onset_key + LOWEST_KEY,
        written=written,
    )


def _usual(key: NDArray[np.int64], velocity: NDArray[np.int64], played: NDArray[np.bool_]) -> Values:
    """The share of notes of like pitch (half an octave) and velocity (16 steps) that are played."""
    _, cell = np.unique(key // 6 * 8 + velocity // 16, return_inverse=True)
    count, there = np.bincount(cell), np.bincount(cell, played)
    return np.asarray((there / np.maximum(count, 1))[cell], np.float64)


def _height(onsets: OnsetMap, key: NDArray[np.int64], at_s: Values) -> Values:
    """The greatest probability of an onset of each key near a time; 0 outside the recording."""
    frame = np.rint(at_s * FRAME_HZ).astype(np.int64)[:, None] + np.arange(-_REACH, _REACH + 1)
    inside = (frame >= 0) & (frame < onsets.shape[1])
    value = onsets[key[:, None], np.clip(frame, 0, onsets.shape[1] - 1)]
    return np.where(inside, value, 0).max(axis=1).astype(np.float64)


def _written(
    onsets: OnsetMap, key: NDArray[np.int64], at_s: Values
) -> tuple[Values, NDArray[np.int64], NDArray[np.bool_]]:
    """Seconds and keys of the clear onsets from the first note to the last, and whether a note is at each."""
    if len(key) == 0 or onsets.shape[1] < 3:
        return np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.bool_)
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
    return time_s, onset_key, distance_s <= _SAME_ONSET_S


def _missing(pitch: NDArray[np.int64], there: NDArray[np.bool_], most: float) -> Split | None:
    """The split at which the shares of both sides differ most, of those where one is at most `most` and far below the
    other; None where there is none, or a side has too few."""
    best: Split | None = None
    for at in np.unique(pitch):
        below = pitch < at
        count = int(below.sum())
        if min(count, len(pitch) - count) < max(_FEWEST, _LEAST_SHARE * len(pitch)):
            continue
        one = Split(int(at), float(there[below].mean()), float(there[~below].mean()))
        if one.lower > most or one.lower > _GREATEST_RATIO * one.higher:
            continue
        if best is None or one.higher - one.lower > best.higher - best.lower:
            best = one
    return best
