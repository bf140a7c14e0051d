"""Times of events near a coarse path: the best sequence by evidence and tempo, found by Viterbi's algorithm.

An event begins where its keys have evidence. The step from one event to the next should last as long as its length in
the notes says at the tempo of the path nearby; the cost of another length is the logarithm of their ratio. So a player
may be free, and neighbouring events that are not detected well take their time from those that are.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.coarse_path import Log, Passed
from antiphon.alignment.events import Events, Seconds
from antiphon.models.note_onsets import FRAME_HZ

NOWHERE: Mapping[int, float] = MappingProxyType({})
_SPREAD, _SPREAD_COST = 3, 0.15  # frames by which notes of a chord may lie apart, and the cost of each
_SEARCHES = ((1.2, 2), (0.15, 1))  # seconds to either side, and frames of a step
_TEMPO_COST, _SHORT_S = 3.0, 0.03
_BACKWARDS, _PER_S_BACKWARDS = 20.0, 50.0
_BEYOND_ENDS = -30.0
_PER_S_OFF_ANCHOR = 1000.0
_TEMPO_WITHIN_S = 3.0
_TEMPO_LIMIT = 4.0


def event_times(
    evidence: Log, events: Events, passed: Passed, pinned: Mapping[int, float] = NOWHERE
) -> tuple[Seconds, NDArray[np.float64]]:
    """Seconds of the recording [n] of the events of a stretch, and the evidence of each, in log odds a note.

    `evidence` is as in `coarse_path`. `passed` holds all events of the stretch, of which some are detected. `pinned`
    are numbers of events, and the seconds where they are known to be.
    """
    known = {event - int(passed.event[0]): second for event, second in pinned.items()}
    part = events.part(int(passed.event[0]), int(passed.event[-1]) + 1)
    there = part.onset_s[passed.detected], passed.time_s[passed.detected]
    tempo = np.interp(part.onset_s, there[0], local_tempo(*there))
    times_s = np.interp(part.onset_s, *there)
    spread = _spread(evidence)
    for reach_s, step in _SEARCHES:
        times_s, gain = _best(spread, part, times_s, tempo, round(reach_s * FRAME_HZ / step), step, known)
    return times_s, gain / np.maximum(np.diff(part.keys.indptr), 1)


def local_tempo(notes_s: Seconds, recording_s: Seconds) -> Seconds:
    """Seconds of the recording per second of the notes [n] at points of a path, by regression over some seconds."""
    whole = (recording_s[-1] - recording_s[0]) / max(notes_s[-1] - notes_s[0], 1e-6) if len(notes_s) > 1 else 1.0
    whole = min(max(float(whole), 0.05), 20.0)
    tempo = np.empty(len(notes_s))
    reach = 3 * _TEMPO_WITHIN_S
    first, last = (np.searchsorted(recording_s, recording_s + sign * reach) for sign in (-1, 1))
    for at, (begin, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        here, there = notes_s[begin:end], recording_s[begin:end]
        weight = np.exp(-(((there - recording_s[at]) / _TEMPO_WITHIN_S) ** 2))
        weight /= weight.sum()
        here, there = here - weight @ here, there - weight @ there
        tempo[at] = (weight @ (here * there) + 1e-4 * whole) / (weight @ here**2 + 1e-4)
    return np.clip(tempo, whole / _TEMPO_LIMIT, whole * _TEMPO_LIMIT)


def _spread(evidence: Log) -> Log:
    """Evidence of an onset nearby: the greatest, less a cost for its distance."""
    spread = evidence.copy()
    for best, known in zip(spread, evidence, strict=True):  # key by key: the map of an hour has 127 MB
        for distance in range(1, _SPREAD + 1):
            nearby = known - np.float32(_SPREAD_COST * distance)
            np.maximum(best[distance:], nearby[:-distance], out=best[distance:])
            np.maximum(best[:-distance], nearby[distance:], out=best[:-distance])
    return spread


def _best(
    spread: Log, events: Events, around_s: Seconds, tempo: Seconds, reach: int, step: int, known: Mapping[int, float]
) -> tuple[Seconds, NDArray[np.float64]]:
    """The best time of each event among `reach` steps to either side of `around_s`, and the evidence there."""
    offset = step * np.arange(-reach, reach + 1)
    centre = np.rint(around_s * FRAME_HZ).astype(np.int64)
    length_s = np.diff(events.onset_s) * tempo[1:]
    difference = offset[:, None] - offset[None, :]
    index = difference // step + 2 * reach
    possible = step * np.arange(-2 * reach, 2 * reach + 1)
    back = np.zeros((len(events), len(offset)), np.int16)
    gains = np.empty((len(events), len(offset)), np.float32)
    total = np.zeros(len(offset))
    for number in range(len(events)):
        frame = centre[number] + offset
        inside = (frame >= 0) & (frame < spread.shape[1])
        rows = events.keys.indices[events.keys.indptr[number] : events.keys.indptr[number + 1]]
        gain = spread[rows][:, np.clip(frame, 0, spread.shape[1] - 1)].sum(axis=0)
        gains[number] = np.where(inside, gain, _BEYOND_ENDS)
        if number in known:
            gains[number] -= _PER_S_OFF_ANCHOR * np.abs(frame / FRAME_HZ - known[number])
        if number:
            step_s = (centre[number] - centre[number - 1] + possible) / FRAME_HZ
            ratio = (np.maximum(step_s, 0.0) + _SHORT_S) / (length_s[number - 1] + _SHORT_S)
            cost = _TEMPO_COST * np.abs(np.log(ratio))
            cost += np.where(step_s < 0, _BACKWARDS - _PER_S_BACKWARDS * step_s, 0.0)
            values = total[None, :] - cost[index]
            back[number] = values.argmax(axis=1)
            total = np.take_along_axis(values, back[number][:, None].astype(np.int64), axis=1)[:, 0]
        total = total + gains[number]
    at = int(total.argmax())
    times_s, gain = np.empty(len(events)), np.empty(len(events))
    for number in range(len(events) - 1, -1, -1):
        times_s[number], gain[number] = (centre[number] + offset[at]) / FRAME_HZ, gains[number, at]
        at = int(back[number, at])
    return np.maximum.accumulate(times_s), gain
