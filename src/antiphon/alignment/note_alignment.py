"""Alignment of notes with an onset map: stretches of the path, and in them the time of each note.

First a coarse path through everything, then the times of events near it, then the time of each note for itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.coarse_path import Log, Passed, coarse_path, log_odds, path_between
from antiphon.alignment.event_times import event_times, local_tempo
from antiphon.alignment.events import Events, Seconds
from antiphon.alignment.note_times import NoteTimes, note_times
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap

_FEWEST_DETECTED = 3
_STRETCHED = 2.5  # how many times longer or shorter than expected a gap may be
_DETECTED_IN_GAP = 0.4
_DOUBLED = 0.25  # share of the expected time between two events below which they are the same onset
_SLACK_S = 1.0
_SLOW_S = 60.0  # a few notes may be far apart, with a pause between them
_FASTEST = 5.0  # times the tempo of the notes, or as many times slower


@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive events that the recording plays in order.

    `first` is the number of its first event, `times_s` [n] are seconds of the recording, `evidence` [n] log odds a
    note; `note` [m] are the numbers of its notes and `notes` their times.
    """

    first: int
    times_s: Seconds
    evidence: NDArray[np.float64]
    note: NDArray[np.int64]
    notes: NoteTimes

    @property
    def last(self) -> int:
        """The number of its last event."""
        return self.first + len(self.times_s) - 1

    def event_s(self, events: Events) -> Seconds:
        """The times [m] of the events to which its notes belong."""
        return self.times_s[events.event[self.note] - self.first]


Anchors = Sequence[tuple[float, float]]
"""Points that a path must pass: a second of the notes, and the second of the recording where it is played."""


def align_notes(onsets: OnsetMap, events: Events, anchors: Anchors = ()) -> list[Stretch]:
    """The stretches of a recording that play the events, in order of the recording.

    `onsets` float32 [88, frames] is detected from a recording, or predicted from notes where both sides are notes. From
    one anchor to the next, where that is not earlier in the notes, the recording plays everything once.
    """
    evidence = log_odds(onsets)
    pinned = _pinned(events, anchors, onsets.shape[1])
    if pinned:
        found = _through(evidence, events, pinned)
    else:
        found = [passed for passed in coarse_path(evidence, events) if _plausible(events, passed)]
    return [_stretch(onsets, evidence, events, passed, pinned) for passed in _joined(evidence, events, found)]


def _pinned(events: Events, anchors: Anchors, frames: int) -> list[dict[int, float]]:
    """For each pass through the notes its pinned events, with their seconds of the recording, in order.

    An anchor pins the event that is nearest to it. Anchors beyond the recording are ignored.
    """
    passes: list[dict[int, float]] = []
    last = len(events)
    for recording_s, notes_s in sorted((there, here) for here, there in anchors):
        if len(events) == 0 or not 0 <= recording_s < frames / FRAME_HZ:
            continue
        event = int(np.abs(events.onset_s - notes_s).argmin())
        if event == last:
            continue
        if event < last:
            passes.append({})
        passes[-1][event] = recording_s
        last = event
    return passes


def _through(evidence: Log, events: Events, passes: Sequence[Mapping[int, float]]) -> list[Passed]:
    """Stretches through pinned events: free before the first, between passes and after the last."""
    found: list[Passed] = []
    frame, everything = 0, len(events)
    for pinned in passes:
        first, begin = next((event, round(second * FRAME_HZ)) for event, second in pinned.items())
        until = first if frame == 0 else everything
        found += _free(evidence, events, (0, until), (frame, begin))
        found.append(_once(evidence, events, pinned))
        frame = round(max(pinned.values()) * FRAME_HZ)
        last = max(pinned)
    return found + _free(evidence, events, (last + 1, everything), (frame, evidence.shape[1]))


def _free(evidence: Log, events: Events, which: tuple[int, int], frames: tuple[int, int]) -> list[Passed]:
    paths = coarse_path(evidence[:, slice(*frames)], events.part(*which))
    return [_shifted(one, which[0], frames[0]) for one in paths if _plausible(events.part(*which), one)]


def _once(evidence: Log, events: Events, pinned: Mapping[int, float]) -> Passed:
    """All events from the first pinned one to the last."""
    edges = [(event, round(second * FRAME_HZ)) for event, second in pinned.items()]
    between = [
        _shifted(path_between(evidence[:, frame:stop], events.part(event, until)), event, frame)
        for (event, frame), (until, stop) in pairwise(edges)
    ]
    last, end = edges[-1]
    whole = _concatenated(*between, Passed(np.array([last]), np.array([end / FRAME_HZ]), np.array([True])))
    at = np.searchsorted(whole.event, list(pinned))
    whole.time_s[at], whole.detected[at] = list(pinned.values()), True
    return whole


def _plausible(events: Events, passed: Passed) -> bool:
    """Whether some events of a stretch are detected, at a tempo that a player may have."""
    detected = np.flatnonzero(passed.detected)
    if len(detected) < _FEWEST_DETECTED:
        return False
    edges = detected[[0, -1]]
    notes_s, recording_s = float(np.ptp(events.onset_s[passed.event[edges]])), float(np.ptp(passed.time_s[edges]))
    return notes_s / _FASTEST <= recording_s <= max(notes_s * _FASTEST, _SLOW_S)


def _shifted(passed: Passed, events: int, frames: int) -> Passed:
    return Passed(passed.event + events, passed.time_s + frames / FRAME_HZ, passed.detected)


def _stretch(
    onsets: OnsetMap, evidence: Log, events: Events, passed: Passed, passes: Sequence[Mapping[int, float]]
) -> Stretch:
    begin_s, end_s = passed.time_s[0], passed.time_s[-1]
    inside = [one for one in passes if begin_s <= min(one.values()) <= end_s]
    pinned = {event: second for one in inside for event, second in one.items()}
    times_s, gain = event_times(evidence, events, passed, pinned)
    first = int(passed.event[0])
    kept = slice(0, len(times_s)) if pinned else _without_doubles(events.part(first, first + len(times_s)), times_s)
    times_s, gain = times_s[kept], gain[kept]
    first, last = first + kept.start, first + kept.stop - 1
    begin, end = np.searchsorted(events.event, (first, last + 1))
    notes = note_times(onsets, events.part(first, last + 1), times_s)
    return Stretch(first, times_s, gain, np.arange(begin, end), notes)


def _without_doubles(events: Events, times_s: Seconds) -> slice:
    """The events without those at the edges that take the onsets of a neighbour, which repeats their keys.

    Where a recording begins with the second of two equal chords, the path may have both at its onset.
    """
    tempo = (times_s[-1] - times_s[0]) / max(float(events.onset_s[-1] - events.onset_s[0]), 1e-6)
    expected_s = tempo * np.diff(events.onset_s)
    common = np.asarray(events.keys[1:].multiply(events.keys[:-1]).sum(axis=1)).ravel() > 0
    doubled = common & (np.diff(times_s) < _DOUBLED * expected_s)
    first, last = 0, len(times_s) - 1
    while last - first > _FEWEST_DETECTED and doubled[first]:
        first += 1
    while last - first > _FEWEST_DETECTED and doubled[last - 1]:
        last -= 1
    return slice(first, last + 1)


def _joined(evidence: Log, events: Events, found: list[Passed]) -> list[Passed]:
    """Fill the gaps between stretches, before the first and after the last, where the music seems to go on."""
    if not found:
        return []
    end_s = evidence.shape[1] / FRAME_HZ
    done: list[Passed] = []
    previous: Passed | None = None
    for passed in found:
        tempo = _end_tempo(events, passed, first=True)
        before = _between(evidence, events, previous, passed, tempo, 0.0)
        if before is not None and previous is not None:
            done[-1] = _concatenated(done[-1], before, passed)
        else:
            done.append(passed if before is None else _concatenated(before, passed))
        previous = done[-1]
    after = _between(evidence, events, done[-1], None, _end_tempo(events, done[-1], first=False), end_s)
    if after is not None:
        done[-1] = _concatenated(done[-1], after)
    return done


def _end_tempo(events: Events, passed: Passed, first: bool) -> float:
    detected = np.flatnonzero(passed.detected)
    near = detected[:20] if first else detected[-20:]
    tempo = local_tempo(events.onset_s[passed.event[near]], passed.time_s[near])
    return float(np.clip(np.median(tempo), 1 / _FASTEST, _FASTEST))


def _between(
    evidence: Log, events: Events, before: Passed | None, after: Passed | None, tempo: float, edge_s: float
) -> Passed | None:
    """The events between two stretches, or between one and the edge of the recording; None where they do not fit."""
    first = 0 if before is None else int(before.event[-1]) + 1
    last = len(events) if after is None else int(after.event[0])
    begin_s = edge_s if before is None else float(before.time_s[-1])
    end_s = edge_s if after is None else float(after.time_s[0])
    if last < first or end_s < begin_s:
        return None
    expected_s = _expected(events, before, after, tempo, first, last)
    if before is not None and after is not None:
        whole_s = (events.onset_s[last] - events.onset_s[first - 1]) * tempo
        if not whole_s / _STRETCHED <= end_s - begin_s <= whole_s * _STRETCHED + _SLACK_S:
            return None
    else:
        kept = np.flatnonzero((expected_s >= begin_s) & (expected_s <= end_s))
        if len(kept) == 0:
            return None
        first, last = first + int(kept[0]), first + int(kept[-1]) + 1
        expected_s = expected_s[kept[0] : kept[-1] + 1]
        reach_s = _STRETCHED * float(expected_s[-1] - expected_s[0]) + _SLACK_S
        if before is None:
            begin_s = max(begin_s, end_s - reach_s - (end_s - float(expected_s[-1])))
        else:
            end_s = min(end_s, begin_s + reach_s + (float(expected_s[0]) - begin_s))
    frames = slice(round(begin_s * FRAME_HZ), round(end_s * FRAME_HZ))
    passed = path_between(evidence[:, frames], events.part(first, last))
    if before is None or after is None:
        kept_part = _played_part(passed.detected, at_the_end=before is None)
        if kept_part is None:
            return None
        passed = Passed(passed.event[kept_part], passed.time_s[kept_part], passed.detected[kept_part])
    elif len(passed.event) and passed.detected.mean() < _DETECTED_IN_GAP:
        # Hardly any of these notes is played here, but the music goes on behind them as if they were.
        known = events.onset_s[[first - 1, last]], np.array([begin_s, end_s])
        times_s = np.interp(events.onset_s[first:last], *known)
        return Passed(np.arange(first, last), times_s, np.zeros(last - first, bool))
    return _shifted(passed, first, frames.start)


def _played_part(detected: NDArray[np.bool_], at_the_end: bool) -> slice | None:
    """The part of a sequence at its begin, or at its end, in which many are detected; None if few of all are.

    Where it lacks three or fewer of the sequence, as the soft notes of a last chord, it has these too.
    """
    if len(detected) == 0 or detected.mean() < _DETECTED_IN_GAP:
        return None
    worth = np.cumsum((detected[::-1] if at_the_end else detected) - _DETECTED_IN_GAP)
    count = int(worth.argmax()) + 1
    if len(detected) - count <= _FEWEST_DETECTED:
        count = len(detected)
    return slice(len(detected) - count, None) if at_the_end else slice(0, count)


def _expected(
    events: Events, before: Passed | None, after: Passed | None, tempo: float, first: int, last: int
) -> Seconds:
    if before is not None:
        return before.time_s[-1] + (events.onset_s[first:last] - events.onset_s[first - 1]) * tempo
    assert after is not None
    return after.time_s[0] - (events.onset_s[last] - events.onset_s[first:last]) * tempo


def _concatenated(*parts: Passed) -> Passed:
    event, time_s, detected = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("event", "time_s", "detected")
    )
    return Passed(event, np.maximum.accumulate(time_s), detected)
