"""Where a performance plays the beats of its score, from ASAP's annotations on the clock of the MAESTRO file.

ASAP annotates its own cut of each performance. The cut begins near the `start` of the metadata, and the difference is
found here: it is the constant at which most annotated beats coincide with the performed notes of the score's pitches.
An annotation is the median of the onsets with which the performance plays the score's notes of the beat: of the beats
of the validation and test splits 95 % lie within 3 ms of that median, and 31 % within 3 ms of the first onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes

ON_NOTE_S = 1e-3
"""Largest distance of a beat of the score from an onset of the score for the beat to count."""
PLAYED_S = 0.03
"""Largest distance of an annotation from an onset that the performance plays for the beat to count."""
EXACT_S, EXACT_SHARE = 1e-3, 0.5
"""A constant counts as found where this share of the beats lies within 1 ms of the median of their performed onsets."""
_SEARCH_S, _STEP_S, _KERNEL_S = 2.0, 0.5e-3, 2e-3
_CHORD_S = 0.06  # how far the onsets of a beat may lie from its annotation

Seconds = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Beats:
    """Beats [B] that fall on a note: seconds in the score, the same in the performance, the score's pitches there.

    `median_s` [B] is the median of the performed onsets of these pitches next to the annotation, on the same clock.
    """

    score_s: Seconds
    performance_s: Seconds
    pitches: tuple[NDArray[np.uint8], ...]
    median_s: Seconds

    def __len__(self) -> int:
        return len(self.score_s)


def beats_on_notes(score: Notes, score_s: Seconds, annotated_s: Seconds) -> tuple[list[NDArray[np.uint8]], Seconds]:
    """Pitches of the score at each beat, and [B, 2] seconds in score and annotation; beats without a note are left out.

    Raises `ValueError` for annotations of unequal length.
    """
    if len(score_s) != len(annotated_s):
        raise ValueError(f"{len(score_s)} beats of the score, {len(annotated_s)} of the performance")
    first = np.searchsorted(score.onset_s, score_s - ON_NOTE_S, side="left")
    last = np.searchsorted(score.onset_s, score_s + ON_NOTE_S, side="right")
    kept = np.flatnonzero(last > first)
    pitches = [np.unique(score.pitch[first[beat] : last[beat]]) for beat in kept]
    return pitches, np.stack([score_s[kept], annotated_s[kept]], axis=1)


def clock_constant(
    played: Notes, annotated_s: Seconds, pitches: Sequence[NDArray[np.uint8]], expected_s: float
) -> float | None:
    """Seconds to add to annotations to get seconds of the performance; None where they are not determined to 1 ms.

    The constant first maximises the number of beats with an onset of one of their pitches, each weighted by a Gaussian
    of 2 ms around the onset, within ± 2 s of `expected_s`. Then the medians of each beat's onsets refine it. It counts
    as determined where half of the beats lie within 1 ms of their median.
    """
    differences = [_differences(played, at, keys, expected_s) for at, keys in zip(annotated_s, pitches, strict=True)]
    constant_s = _peak(differences, expected_s)
    if constant_s is None:
        return None
    for _ in range(3):
        late_s = median_onsets(played, annotated_s + constant_s, pitches) - annotated_s - constant_s
        late_s = np.sort(late_s[np.isfinite(late_s)])
        if not len(late_s):
            return None
        # The densest 2 ms of all the distances.
        inside = np.searchsorted(late_s, late_s + 2 * EXACT_S, side="right") - np.arange(len(late_s))
        first = int(np.argmax(inside))
        constant_s += float(np.median(late_s[first : first + inside[first]]))
    late_s = median_onsets(played, annotated_s + constant_s, pitches) - annotated_s - constant_s
    exact = float(np.mean(np.abs(late_s) <= EXACT_S))  # a beat that is not played is not exact
    return constant_s if exact >= EXACT_SHARE else None


def median_onsets(played: Notes, at_s: Seconds, pitches: Sequence[NDArray[np.uint8]]) -> Seconds:
    """The median of the onsets, one of each pitch and next to `at_s` [B], within 60 ms; NaN where there are none."""
    medians = np.full(len(at_s), np.nan)
    for beat, (middle_s, keys) in enumerate(zip(at_s, pitches, strict=True)):
        first, last = np.searchsorted(played.onset_s, [middle_s - _CHORD_S, middle_s + _CHORD_S])
        onset_s, key = played.onset_s[first:last], played.pitch[first:last]
        near = [onset_s[key == one] for one in keys]
        chord = [one[np.argmin(np.abs(one - middle_s))] for one in near if len(one)]
        if chord:
            medians[beat] = np.median(chord)
    return medians


def _differences(played: Notes, at_s: float, keys: NDArray[np.uint8], expected_s: float) -> Seconds:
    middle_s, reach_s = at_s + expected_s, _SEARCH_S + 4 * _KERNEL_S
    first, last = np.searchsorted(played.onset_s, [middle_s - reach_s, middle_s + reach_s])
    return played.onset_s[first:last][np.isin(played.pitch[first:last], keys)] - at_s


def _peak(differences: Sequence[Seconds], expected_s: float) -> float | None:
    """The constant that most beats agree on, refined to the weighted mean of the differences next to it."""
    steps = round(_SEARCH_S / _STEP_S)
    offsets = expected_s + np.arange(-steps, steps + 1) * _STEP_S
    reach = int(4 * _KERNEL_S / _STEP_S)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _STEP_S / _KERNEL_S) ** 2)
    count = np.zeros(len(offsets))
    for beat in differences:
        # A beat counts once at each constant, however many of its notes lie there.
        bins = np.unique(np.rint((beat - offsets[0]) / _STEP_S).astype(np.int64))
        count[bins[(bins >= 0) & (bins < len(offsets))]] += 1
    if not count.any():
        return None
    at = float(offsets[np.argmax(np.convolve(count, kernel, mode="same"))])
    every = np.concatenate(list(differences))
    for _ in range(5):
        weight = np.exp(-0.5 * ((every - at) / _KERNEL_S) ** 2)
        at = float(weight @ every / weight.sum())
    return at


def true_beats(
    score: Notes, played: Notes, score_s: Seconds, annotated_s: Seconds, expected_s: float
) -> tuple[Beats, float] | None:
    """The beats that count, on the clock of `played`, and the constant; None where the constant cannot be found.

    A beat counts where the score has an onset within 1 ms of it, and the performance plays one of these pitches within
    30 ms of the annotation. The annotation is the truth.
    """
    pitches, times_s = beats_on_notes(score, score_s, annotated_s)
    if not pitches:
        return None
    constant_s = clock_constant(played, times_s[:, 1], pitches, expected_s)
    if constant_s is None:
        return None
    performance_s = times_s[:, 1] + constant_s
    away_s = np.array([_nearest(played, at, keys) for at, keys in zip(performance_s, pitches, strict=True)])
    kept = np.flatnonzero(away_s <= PLAYED_S)
    chosen = tuple(pitches[beat] for beat in kept)
    times_s, performance_s = times_s[kept], performance_s[kept]
    return Beats(times_s[:, 0], performance_s, chosen, median_onsets(played, performance_s, chosen)), constant_s


def _nearest(played: Notes, at_s: float, keys: NDArray[np.uint8]) -> float:
    """How far the nearest onset of one of the pitches is away; infinite where there is none within 60 ms."""
    first, last = np.searchsorted(played.onset_s, [at_s - 2 * PLAYED_S, at_s + 2 * PLAYED_S])
    onset_s = played.onset_s[first:last][np.isin(played.pitch[first:last], keys)]
    return float(np.abs(onset_s - at_s).min(initial=np.inf))
