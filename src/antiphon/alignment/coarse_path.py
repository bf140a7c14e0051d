"""A coarse path through all events of a file: which event is the last that has begun, at each moment of a recording.

The path maximises evidence. In each frame of 40 ms it may stay, pass one or two events that begin there, or skip
events that are not detected. It may also leave the music, at a cost, and come back at any other event: for a repeat, a
cut, other music or applause. There is no band that could lose it and no tempo that it must follow; a player's pauses
cost nothing. Time is the product of both lengths, memory their sum.

An onset that no event explains costs a share of its evidence, so that the path does not wait for the end of a piece
and then match a part of it by chance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from antiphon.alignment.events import Events
from antiphon.models.note_onsets import FRAME_HZ

HOP = 4
"""Frames of an onset map in a frame of the path."""
RATE_HZ = FRAME_HZ / HOP
_UNDETECTED, _DETECTED = -2.5, 4.0  # the least and the greatest evidence of one note, in log odds
_BIAS = 1.5
_UNEXPLAINED = 0.25
_LEAVE = 120.0  # cost of leaving the music, in log odds
_BEGIN_WITHIN = _END_WITHIN = 10.0  # cost of beginning elsewhere than at the first event, of ending before the last
_TWO_AT_ONCE = 0.5
_BLOCK = 256
_EMPTY_EVENT = 0.3  # an event of keys beyond the keyboard costs as much as this share of a note
_NEVER = -1e12

Log = NDArray[np.float32]
Values = NDArray[np.float64]
_Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Passed:
    """The events of one stretch of the music: `event` int64 [n] are consecutive, `time_s` [n] does not decrease.

    `detected` bool [n] tells whether at least a part of the event's notes begins there.
    """

    event: NDArray[np.int64]
    time_s: NDArray[np.float64]
    detected: NDArray[np.bool_]


def log_odds(onset: Log) -> Log:
    """Evidence for an onset in each cell of an onset map of probabilities, −2.5 to 4."""
    odds = np.clip(onset, np.float32(1e-4), np.float32(1 - 1e-4))
    # In place: the map of an hour has 127 MB.
    odds /= 1 - odds
    np.log(odds, out=odds)
    odds += np.float32(_BIAS)
    return np.clip(odds, _UNDETECTED, _DETECTED, out=odds)


def coarse_path(evidence: Log, events: Events) -> list[Passed]:
    """The stretches of the best path, in order of the recording.

    `evidence` float32 [88, frames] has 100 frames a second and comes from `log_odds`.
    """
    if len(events) == 0 or evidence.shape[1] == 0:
        return []
    return _Search(_in_path_frames(evidence), events, _LEAVE).stretches()


def path_between(evidence: Log, events: Events) -> Passed:
    """The best path through all events, in a stretch that is known to begin before the first and end after the last."""
    frames = _in_path_frames(evidence)
    if len(events) == 0 or frames.shape[1] == 0:
        count = len(events)
        return Passed(np.arange(count), np.zeros(count), np.zeros(count, bool))
    return _Search(frames, events, np.inf).stretches(whole=True)[0]


def _in_path_frames(evidence: Log) -> Log:
    """Evidence [88, frames of the path]: of peaks alone, so that an onset is in one frame or, at a border, in two."""
    peak = evidence >= maximum_filter1d(evidence, HOP + 1, axis=1)
    peaks = np.where(peak, evidence, np.float32(_UNDETECTED))
    return np.ascontiguousarray(maximum_filter1d(peaks, HOP + 1, axis=1)[:, HOP // 2 :: HOP])


@dataclass(frozen=True, eq=False)
class _Marks:
    """How the best value of each state came about in each frame of a block; state k is that k events have begun."""

    passed: NDArray[np.uint8]  # [frames, K + 1]: 0, 1 or 2 events
    skipped: NDArray[np.bool_]  # [frames, K + 1]
    returned: NDArray[np.bool_]  # [frames, K + 1]: from outside the music, to stay
    returned_to_pass: NDArray[np.bool_]  # [frames, K + 1]: the same, to pass the next event
    left_from: NDArray[np.int64]  # [frames]: the state from which the music was left, −1 where it was not
    ended_in: NDArray[np.int64]  # [frames]: the state in which it ended for good, −1 where another end is better


@dataclass(frozen=True, eq=False)
class _Values:
    """The values after a frame: of each state [K + 1], of those that no event was passed in, of being outside of the
    music, and of its end."""

    inside: Values
    stayed: Values
    outside: float
    ended: float


class _Search:
    """Values of all states, frame by frame; marks are computed again, block by block, for the way back."""

    def __init__(self, frames: Log, events: Events, leave: float) -> None:
        self._frames = frames.shape[1]
        positive = np.maximum(frames, 0.0)
        self._cost = _UNEXPLAINED * positive.sum(axis=0)
        self._evidence = frames + _UNEXPLAINED * positive
        self._keys, self._leave = events.keys, leave
        count = np.diff(events.keys.indptr)
        self._skip = np.concatenate([[0.0], np.cumsum(_UNDETECTED * np.maximum(count, _EMPTY_EVENT))])
        common = np.asarray(events.keys[1:].multiply(events.keys[:-1]).sum(axis=1)).ravel() > 0
        self._two = np.where(common, -_NEVER, _TWO_AT_ONCE)
        # An event that repeats a key of the one before is not passed in the next frame: one onset would serve both.
        self._repeats = np.concatenate([[False], common, [False]])

    def stretches(self, whole: bool = False) -> list[Passed]:
        """Trace the best path back; with `whole` it passes all events."""
        states = len(self._skip)
        inside = np.full(states, _NEVER)
        inside[0] = 0.0
        values = _Values(inside, inside, -_BEGIN_WITHIN if self._leave < np.inf else _NEVER, _NEVER)
        starts = range(0, self._frames, _BLOCK)
        before = []
        for start in starts:
            before.append(values)
            values, _ = self._block(start, values)
        state = states - 1 if whole else int(values.inside.argmax())
        back = _Back(state, values.ended > values.inside[state] and not whole, self._repeats)
        for start, values in zip(reversed(starts), reversed(before), strict=True):
            _, marks = self._block(start, values)
            back.trace(marks, start)
        return back.stretches(self._detected)

    def _detected(self, event: NDArray[np.int64], frame: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([
            self._evidence[self._keys.indices[self._keys.indptr[k] : self._keys.indptr[k + 1]], t].max(initial=-1.0) > 0
            for k, t in zip(event.tolist(), frame.tolist(), strict=True)
        ])  # fmt: skip

    def _block(self, start: int, values: _Values) -> tuple[_Values, _Marks]:
        inside, stayed, outside, ended = values.inside, values.stayed, values.outside, values.ended
        frames = slice(start, min(self._frames, start + _BLOCK))
        gains = (self._keys @ self._evidence[:, frames]).T.astype(np.float64)
        length, states = len(gains), len(self._skip)
        passed = np.zeros((length, states), np.uint8)
        skipped, returned, returned_to_pass = (np.zeros((length, states), bool) for _ in range(3))
        left_from, ended_in = np.full(length, -1), np.full(length, -1)
        for number, (gain, cost) in enumerate(zip(gains, self._cost[frames].tolist(), strict=True)):
            ready = np.where(self._repeats, stayed, inside)
            np.less(inside, outside, out=returned[number])
            np.less(ready, outside, out=returned_to_pass[number])
            stayed, ready = np.maximum(inside, outside), np.maximum(ready, outside)
            stayed[1:-1] -= cost
            ready[1:-1] -= cost
            best = stayed.copy()
            one = ready[:-1] + gain
            better = one > best[1:]
            np.copyto(best[1:], one, where=better)
            passed[number, 1:] = better
            if states > 2:
                two = ready[:-2] + gain[:-1] + gain[1:] - self._two
                better = two > best[2:]
                np.copyto(best[2:], two, where=better)
                passed[number, 2:][better] = 2
            inside = np.maximum.accumulate(best - self._skip) + self._skip
            np.greater(inside, best + 1e-6, out=skipped[number])
            state = int(inside.argmax())
            if inside[state] - self._leave > outside:
                outside = float(inside[state]) - self._leave
                left_from[number] = state
            if inside[state] - _END_WITHIN > ended:
                ended = float(inside[state]) - _END_WITHIN
                ended_in[number] = state
            inside[0] = max(inside[0], 0.0)  # before the first event nothing costs anything
        marks = _Marks(passed, skipped, returned, returned_to_pass, left_from, ended_in)
        return _Values(inside, stayed, outside, ended), marks


class _Back:
    """The way back through the marks, from the last frame to the first."""

    def __init__(self, state: int, ended: bool, repeats: NDArray[np.bool_]) -> None:
        self._state, self._ended, self._repeats = state, ended, repeats
        self._outside = False
        self._stayed = False  # no event was passed in this frame, whatever its marks say
        self._steps: list[list[tuple[int, int, bool]]] = [[]]

    def trace(self, marks: _Marks, start: int) -> None:
        """Go through a block that begins at frame `start`."""
        for number in range(len(marks.left_from) - 1, -1, -1):
            if self._ended:
                if marks.ended_in[number] < 0:
                    continue
                self._ended, self._state = False, int(marks.ended_in[number])
            if self._outside:
                if marks.left_from[number] < 0:
                    continue
                self._outside, self._state = False, int(marks.left_from[number])
                self._steps.append([])
            passes = 0
            if not self._stayed:
                while self._state > 0 and marks.skipped[number, self._state]:
                    self._pass(start + number, skipped=True)
                passes = int(marks.passed[number, self._state])
                for _ in range(passes):
                    self._pass(start + number)
            returned = marks.returned_to_pass if passes else marks.returned
            self._outside = bool(returned[number, self._state])
            self._stayed = bool(passes and self._repeats[self._state]) and not self._outside

    def _pass(self, frame: int, skipped: bool = False) -> None:
        self._state -= 1
        self._steps[-1].append((self._state, frame, skipped))

    def stretches(self, detected_of: Callable[[_Numbers, _Numbers], NDArray[np.bool_]]) -> list[Passed]:
        found = []
        for steps in reversed(self._steps):
            if steps:
                event, frame, skipped = np.array(steps[::-1]).T
                found.append(Passed(event, frame / RATE_HZ, detected_of(event, frame) & (skipped == 0)))
        return found
