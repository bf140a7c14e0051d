"""Augmentation of notes: velocity, timing, duration, and missing or added notes.

These are the differences between two note files of the same music: a score has one velocity and no pedal; a
transcription misses notes and adds wrong ones. The pitches of kept notes do not change, so an augmented window still
contains the same music.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.augmentation.ranges import check_probability, check_range
from antiphon.io.notes import Notes, extend_ends

Range = tuple[float, float]
_LOWEST_KEY, _HIGHEST_KEY = 21, 108
_OCTAVE = 12


@dataclass(frozen=True)
class NoteAugmentation:
    """The probability (0–1) of each change per window, and the range (low, high) of its strength.

    Strengths are drawn uniformly, once per window. `clean` is the probability that a window stays unchanged; all other
    probabilities apply to the remaining windows.
    `velocities`, `velocity_scale`, `velocity_gamma`: v becomes scale · 127 · (v / 127)^γ, rounded, in 1–127.
    `constant`, `constant_velocity`: one velocity for all notes, added notes included.
    `dropped`, `dropped_share`: removes a share of the notes. `added`, `added_share`: adds a share of the remaining
    notes, between the window's begin and its last onset. An added note copies duration and velocity of an existing note
    and lies within an octave of it. A fractional number of notes is rounded up or down at random.
    `jittered`, `jitter_s`: shifts each onset by a normal deviate with this σ in seconds; durations stay.
    `scaled`, `duration_scale`: multiplies durations by a factor. `pedalled`, `pedal_s`: extends notes as a pedal does,
    in half of these windows to the next silence, in the others by this time in seconds, at most to the next onset of
    the same key. `cut`, `longest_s`: limits durations to this time in seconds. At most one of these three happens.
    """

    clean: float = 0.25
    velocities: float = 0.6
    velocity_scale: Range = (0.4, 1.6)
    velocity_gamma: Range = (0.5, 2.0)
    constant: float = 0.15
    constant_velocity: tuple[int, int] = (40, 110)
    dropped: float = 0.4
    dropped_share: Range = (0.0, 0.15)
    added: float = 0.3
    added_share: Range = (0.0, 0.10)
    jittered: float = 0.5
    jitter_s: Range = (0.0, 0.025)
    scaled: float = 0.2
    duration_scale: Range = (0.5, 2.0)
    pedalled: float = 0.25
    pedal_s: Range = (0.1, 1.5)
    cut: float = 0.15
    longest_s: Range = (0.05, 0.4)

    def __post_init__(self) -> None:
        check_probability(self, "clean", "velocities", "constant", "dropped", "added", "jittered")
        check_probability(self, "scaled", "pedalled", "cut")
        if self.scaled + self.pedalled + self.cut > 1.0:
            total = self.scaled + self.pedalled + self.cut
            raise ValueError(f"at most one of scaled, pedalled and cut happens, but their sum is {total:g}")
        check_range(self, "constant_velocity", 1, 127)
        check_range(self, "dropped_share", 0.0, 1.0)
        for name in ("velocity_scale", "velocity_gamma", "added_share", "jitter_s", "duration_scale", "pedal_s"):
            check_range(self, name, least=0.0)
        check_range(self, "longest_s", least=1e-3)


def augment_notes(windows: Sequence[Notes], settings: NoteAugmentation, rng: np.random.Generator) -> list[Notes]:
    """Augment the notes of each window with its own draws. Clean and empty windows are returned as the same objects.

    No onset moves past the last onset of its window, so no note leaves the window at its end. Notes that would end
    before the window begins are removed, as in `Notes.window`. A window that would lose all its notes stays unchanged.
    """
    return [_augment(window, settings, rng) if len(window) else window for window in windows]


def _augment(window: Notes, settings: NoteAugmentation, rng: np.random.Generator) -> Notes:
    if rng.uniform() < settings.clean:
        return window
    notes = window
    if rng.uniform() < settings.dropped:
        notes = _drop(notes, rng.uniform(*settings.dropped_share), rng)
    if rng.uniform() < settings.added:
        notes = _add(notes, rng.uniform(*settings.added_share), rng)
    notes = _lengthen(notes, settings, rng)
    if rng.uniform() < settings.velocities:
        scale, gamma = rng.uniform(*settings.velocity_scale), rng.uniform(*settings.velocity_gamma)
        velocity = np.rint(scale * 127.0 * (notes.velocity / 127.0) ** gamma)
        notes = replace(notes, velocity=np.clip(velocity, 1, 127).astype(np.uint8))
    if rng.uniform() < settings.constant:
        constant = int(rng.integers(*settings.constant_velocity, endpoint=True))
        notes = replace(notes, velocity=np.full(len(notes), constant, np.uint8))
    if rng.uniform() < settings.jittered:
        notes = _jitter(notes, rng.uniform(*settings.jitter_s), rng)
    sounding = notes.offset_s > 0.0
    if sounding.all():
        return notes
    return _take(notes, np.flatnonzero(sounding)) if sounding.any() else window


def _drop(notes: Notes, share: float, rng: np.random.Generator) -> Notes:
    dropped = min(_count(share * len(notes), rng), len(notes) - 1)
    return _take(notes, np.sort(rng.permutation(len(notes))[dropped:]))


def _add(notes: Notes, share: float, rng: np.random.Generator) -> Notes:
    source = rng.integers(len(notes), size=_count(share * len(notes), rng))
    last_s = notes.onset_s[-1]
    onset_s = rng.uniform(min(max(0.0, notes.onset_s[0]), last_s), last_s, len(source))
    source_pitch = notes.pitch[source].astype(np.int64)
    pitch = source_pitch + rng.integers(-_OCTAVE, _OCTAVE, len(source), endpoint=True)
    pitch = np.clip(pitch, np.minimum(source_pitch, _LOWEST_KEY), np.maximum(source_pitch, _HIGHEST_KEY))
    return _sorted(
        np.concatenate([notes.onset_s, onset_s]),
        np.concatenate([notes.duration_s, notes.duration_s[source]]),
        np.concatenate([notes.pitch, pitch.astype(np.uint8)]),
        np.concatenate([notes.velocity, notes.velocity[source]]),
    )


def _lengthen(notes: Notes, settings: NoteAugmentation, rng: np.random.Generator) -> Notes:
    draw = rng.uniform()
    if draw < settings.scaled:
        return replace(notes, duration_s=notes.duration_s * rng.uniform(*settings.duration_scale))
    if draw < settings.scaled + settings.pedalled:
        seconds = rng.uniform(*settings.pedal_s)
        return _pedal(notes, None if rng.uniform() < 0.5 else seconds)
    if draw < settings.scaled + settings.pedalled + settings.cut:
        return replace(notes, duration_s=np.minimum(notes.duration_s, rng.uniform(*settings.longest_s)))
    return notes


def _pedal(notes: Notes, seconds: float | None) -> Notes:
    """Extend notes by `seconds`, or to the next silence for None; at most to the next onset of the same key."""
    end_s = notes.offset_s
    if seconds is None:
        latest_s = np.maximum.accumulate(end_s)
        # A run of notes without silence ends where the next note begins after all earlier notes have ended.
        last_of_run = np.append(np.flatnonzero(notes.onset_s[1:] > latest_s[:-1]), len(notes) - 1)
        release_s = latest_s[last_of_run[np.searchsorted(last_of_run, np.arange(len(notes)))]]
    else:
        release_s = end_s + seconds
    return replace(notes, duration_s=extend_ends(notes.onset_s, end_s, notes.pitch, release_s) - notes.onset_s)


def _jitter(notes: Notes, sigma_s: float, rng: np.random.Generator) -> Notes:
    last_s = notes.onset_s[-1]
    # Onsets that would pass the last one are mirrored at it.
    onset_s = last_s - np.abs(last_s - (notes.onset_s + rng.normal(0.0, sigma_s, len(notes))))
    return _sorted(onset_s, notes.duration_s, notes.pitch, notes.velocity)


def _count(wanted: float, rng: np.random.Generator) -> int:
    """Round `wanted` down or up at random, so that the mean is `wanted`."""
    return int(wanted + rng.uniform())


def _take(notes: Notes, rows: NDArray[np.intp]) -> Notes:
    return Notes(notes.onset_s[rows], notes.duration_s[rows], notes.pitch[rows], notes.velocity[rows])


def _sorted(
    onset_s: NDArray[np.float64],
    duration_s: NDArray[np.float64],
    pitch: NDArray[np.uint8],
    velocity: NDArray[np.uint8],
) -> Notes:
    order = np.lexsort((pitch, onset_s))
    return Notes(onset_s[order], duration_s[order], pitch[order], velocity[order])
