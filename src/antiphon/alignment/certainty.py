"""How sure an alignment is: of each note, of the path from second to second, and of the pair as a whole.

Three logistic regressions, fitted by `python -m benchmarks.alignment.calibration` on performances of MAESTRO's training
split. The support of a moment is the mean height of the onsets of the notes around it: of those within two seconds,
near ones more than far ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from antiphon.alignment.events import Events
from antiphon.alignment.note_alignment import Stretch
from antiphon.alignment.note_times import FAINT
from antiphon.models.note_onsets import FRAME_HZ, OnsetMap

Values = NDArray[np.float64]
NOTE = MappingProxyType(
    {"constant": -0.091, "height": 0.552, "from event": -41.593, "evidence": 0.071, "support": 6.171}
)
"""A note sounds within 50 ms of its time. Log odds per unit: height in log odds, from event in seconds."""
MISSING = MappingProxyType({"constant": -1.854, "height": -0.639, "support": -4.478})
"""A note is not played."""
PATH = MappingProxyType({"constant": -1.911, "support": 10.59})
"""The path is within 250 ms."""
PAIR = MappingProxyType({"constant": -4.004, "detected": 2.984, "in stretches": 1.785, "log notes": 0.797})
"""Both sides are the same music."""
_AROUND_S = 2.0
_LEAST, _GREATEST = 0.002, 0.98
_PLAYED, _MISSING = 0.5, 0.5
_STEP_S, _SHORTEST_LOST_S = 0.25, 1.0
_LOST = 0.25  # support below which a path has nothing to hold on to
_CLEAR, _FEWEST_CLEAR = 0.5, 3  # probability of an onset, and number of such onsets, that show music


def support(time_s: Values, height: Values, at_s: Values) -> Values:
    """The support [m] of the moments `at_s` by notes at `time_s` [n], which does not decrease, of `height` [n]."""
    total, weights = np.zeros(len(at_s)), np.zeros(len(at_s))
    order = np.argsort(time_s, kind="stable")
    time_s, height = time_s[order], height[order]
    edges = np.concatenate([[0.0], np.cumsum(height)]), np.arange(len(height) + 1.0)
    for reach_s in (_AROUND_S / 4, _AROUND_S / 2, _AROUND_S):  # nested boxes approximate a triangle
        first, last = (np.searchsorted(time_s, at_s + sign * reach_s) for sign in (-1, 1))
        total += edges[0][last] - edges[0][first]
        weights += edges[1][last] - edges[1][first]
    return total / np.maximum(weights, 1.0)


def height_log_odds(height: Values) -> Values:
    """Log odds of heights, limited to 0.002 to 0.98."""
    limited = np.clip(height, _LEAST, _GREATEST)
    return np.log(limited / (1 - limited))


def path_features(around: Values) -> NDArray[np.float64]:
    """The features of `PATH` [m, 2] at the support of moments [m]."""
    return np.column_stack([np.ones(len(around)), around])


def pair_features(events: Events, stretches: Sequence[Stretch]) -> NDArray[np.float64]:
    """The features of `PAIR` [1, 4].

    How well the notes in stretches are detected, which share of all notes lies in stretches, and the logarithm of the
    number of detected ones.
    """
    inside = sum(len(one.note) for one in stretches)
    detected = sum(float(one.notes.height.sum()) for one in stretches)
    share = inside / max(len(events.event), 1)
    return np.array([[1.0, detected / max(inside, 1), share, float(np.log1p(detected))]])


def probability(coefficients: Mapping[str, float], features: NDArray[np.float64]) -> Values:
    """The probability [n] at features [n, k] of a logistic regression."""
    odds = features @ np.array(list(coefficients.values()))
    return 1 / (1 + np.exp(-np.clip(odds, -50, 50)))


@dataclass(frozen=True, eq=False)
class Certainty:
    """How sure an alignment is. `state` and `confidence` [n] are of the notes of all stretches, one after the other.

    `lost` are seconds of the recording from when to when the path is lost.
    """

    pair: float
    path: float
    lost: tuple[tuple[float, float], ...]
    state: NDArray[np.str_]
    confidence: Values


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence for the n notes of all stretches, one after the other.

    `height` is the probability of an onset of a note's own key, `event_s` the time of its event, `from_event_s` the
    time from there to the note, `event` the evidence of the event in log odds a note, `around` the support.
    """

    height: Values
    event_s: Values
    from_event_s: Values
    event: Values
    around: Values

    @classmethod
    def of(cls, events: Events, stretches: Sequence[Stretch]) -> Evidence:
        """The evidence of at least one stretch."""
        height = np.concatenate([one.notes.height for one in stretches])
        event_s = np.concatenate([one.event_s(events) for one in stretches])
        from_event_s = np.concatenate([one.notes.from_event_s for one in stretches])
        event = np.concatenate([one.evidence[events.event[one.note] - one.first] for one in stretches])
        return cls(height, event_s, from_event_s, event, support(event_s, height, event_s))

    @property
    def of_notes(self) -> NDArray[np.float64]:
        """The features of `NOTE` [n, 5]."""
        columns = (height_log_odds(self.height), np.abs(self.from_event_s), self.event, self.around)
        return np.column_stack([np.ones(len(self.height)), *columns])

    @property
    def of_missing(self) -> NDArray[np.float64]:
        """The features of `MISSING` [n, 3]."""
        return np.column_stack([np.ones(len(self.height)), height_log_odds(self.height), self.around])


def of(events: Events, stretches: Sequence[Stretch], onsets: OnsetMap) -> Certainty:
    """How sure the stretches of an alignment are; `onsets` [88, frames] is the onset map of the recording."""
    if not stretches:
        return Certainty(0.0, 0.0, (), np.zeros(0, np.str_), np.zeros(0))
    evidence = Evidence.of(events, stretches)
    played = probability(NOTE, evidence.of_notes)
    missing = probability(MISSING, evidence.of_missing)
    state = np.where(missing >= _MISSING, "missing", "unsure")
    state[(evidence.height > FAINT) & (played >= _PLAYED)] = "played"
    at_s = [moments for one in stretches for moments in runs(one)]
    around = [support(evidence.event_s, evidence.height, moments) for moments in at_s]
    right = [probability(PATH, path_features(one)) for one in around]
    between = _between(events, stretches, at_s, onsets)
    wrong = [np.zeros(round((end_s - begin_s) / _STEP_S)) for begin_s, end_s in between]
    lost = [stretch for moments, one in zip(at_s, around, strict=True) for stretch in _lost(moments, one)]
    return Certainty(
        pair=float(probability(PAIR, pair_features(events, stretches))[0]),
        path=float(np.concatenate([*right, *wrong]).mean()),
        lost=_merged([*lost, *between]),
        state=state,
        confidence=np.where(state == "missing", missing, played),
    )


def runs(stretch: Stretch) -> list[Values]:
    """Seconds of the recording, four times a second from the first event of a run to its last: at least one.

    A run ends where no event follows within twice the reach of support: at a pause, or where other music is put in.
    """
    at = np.flatnonzero(np.diff(stretch.times_s) > 2 * _AROUND_S)
    begins, ends = stretch.times_s[np.concatenate([[0], at + 1])], stretch.times_s[np.concatenate([at, [-1]])]
    return [np.arange(begin_s, end_s + _STEP_S, _STEP_S) for begin_s, end_s in zip(begins, ends, strict=True)]


def _lost(at_s: Values, around: Values) -> list[tuple[float, float]]:
    """From when to when, in seconds of the recording, hardly any note of the path is detected; `around` is support."""
    wrong = np.concatenate([[False], around < _LOST, [False]])
    edges = np.flatnonzero(np.diff(wrong.astype(np.int8))).reshape(-1, 2) * _STEP_S + at_s[0]
    return [(float(begin), float(end)) for begin, end in edges if end - begin >= _SHORTEST_LOST_S]


def _merged(stretches: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Stretches in order, as one where less lies between two of them than support reaches."""
    merged: list[tuple[float, float]] = []
    for begin_s, end_s in sorted(stretches):
        if merged and begin_s - merged[-1][1] < _AROUND_S:
            begin_s, end_s = merged[-1][0], max(merged.pop()[1], end_s)
        merged.append((begin_s, end_s))
    return tuple(merged)


def _between(
    events: Events, stretches: Sequence[Stretch], at_s: Sequence[Values], onsets: OnsetMap
) -> list[tuple[float, float]]:
    """From when to when music sounds that no run explains, in seconds of the recording.

    Before the first run and after the last one only if it might be that of notes which no stretch has.
    """
    ends = [0.0, *(float(moments[-1]) for moments in at_s)]
    begins = [*(float(moments[0]) for moments in at_s), onsets.shape[1] / FRAME_HZ]
    gaps = list(zip(ends, begins, strict=True))
    if min(one.first for one in stretches) == 0:
        gaps = gaps[1:]
    if max(one.last for one in stretches) == len(events) - 1:
        gaps = gaps[:-1]
    long = [(begin_s, end_s) for begin_s, end_s in gaps if end_s - begin_s >= _SHORTEST_LOST_S]
    return [(begin_s, end_s) for begin_s, end_s in long if _sounds(onsets, begin_s, end_s)]


def _sounds(onsets: OnsetMap, begin_s: float, end_s: float) -> bool:
    """Whether notes begin clearly at least once a second."""
    within = onsets[:, round(begin_s * FRAME_HZ) : round(end_s * FRAME_HZ)]
    begins = np.diff((within >= _CLEAR).astype(np.int8), axis=1, prepend=0) > 0
    return float(begins.sum()) >= max(_FEWEST_CLEAR, end_s - begin_s)
