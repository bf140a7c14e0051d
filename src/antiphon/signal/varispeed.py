"""Varispeed: play a recording faster or slower, as a tape machine does; pitch and tempo change together.

Audio played at another speed approximates a piano that is not tuned to A = 440 Hz. The notes keep their MIDI numbers,
which name keys; `scale_times` scales their times like those of the audio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.io.notes import Notes
from antiphon.types import SampleArray

_FULL_SCALE = np.float32(32767)
_SLOWEST, _FASTEST = 0.5, 2.0


def samples_needed(length: int, ratio: float) -> int:
    """Number of input samples that `varispeed` reads for `length` output samples.

    >>> samples_needed(96_000, 1.0), samples_needed(96_000, 1.02)
    (96000, 97920)
    """
    if not _SLOWEST <= ratio <= _FASTEST:
        raise ValueError(f"playback speed is within {_SLOWEST:g}–{_FASTEST:g}, got {ratio} (cents instead of a ratio?)")
    return math.ceil((length - 1) * ratio) + 1 if length else 0


def varispeed(samples: NDArray[np.int16] | NDArray[np.float32], ratio: float, length: int) -> NDArray[np.float32]:
    """Play audio at `ratio` times its speed: output sample i is the input at position i · ratio, float32 [length].

    `samples` [n] are int16, which are scaled to ±1, or float32, which are used as they are. The output at t seconds is
    the input at t · ratio seconds, so 440 Hz becomes 440 · ratio Hz. A ratio of 1 returns the input bit by bit.

    The interpolation is Catmull and Rom's cubic (1974) over 4 samples. Its error is largest half-way between two
    samples: there a tone at an eighth of the sample rate (3 kHz at 24 kHz) loses 1 % of its amplitude, and one at a
    third loses 31 %. There is no anti-aliasing filter: for ratio > 1 the top of the band aliases, at 40 cents its
    last 2 %.

    Raises `ValueError` when `ratio` is outside 0.5–2 or there are fewer than `samples_needed(length, ratio)` samples.
    """
    needed = samples_needed(length, ratio)
    if len(samples) < needed:
        raise ValueError(f"{length} samples at {ratio:g} times the speed need {needed} samples, got {len(samples)}")
    return _played(samples, ratio, 0, length)


@dataclass(frozen=True, eq=False)
class PlayedSound:
    """The result of `varispeed`, of which slices are computed when they are read."""

    samples: SampleArray
    ratio: float
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]:
        begin, end, _ = part.indices(self.length)
        return _played(self.samples, self.ratio, begin, end)


def _played(samples: SampleArray | NDArray[np.int16], ratio: float, begin: int, end: int) -> NDArray[np.float32]:
    """Output samples from `begin` to `end`."""
    if end <= begin:
        return np.zeros(0, np.float32)
    position = np.arange(begin, end) * ratio
    first = position.astype(np.int64)
    t = (position - first).astype(np.float32)
    # One sample before and two after, for the interpolation; the edge sample is repeated at the ends of the input.
    low, high = int(first[0]) - 1, int(first[-1]) + 3
    part = samples[max(0, low) : high]
    read = np.empty(high - low, np.float32)
    inside = max(0, -low)
    read[inside : inside + len(part)] = part
    read[:inside], read[inside + len(part) :] = part[0], part[-1]
    if part.dtype == np.int16:
        read /= _FULL_SCALE
    first -= low
    before, left, right, after = (read.take(first + offset) for offset in (-1, 0, 1, 2))
    # Horner's scheme of ((3(l − r) + a − b) t³ + (2b − 5l + 4r − a) t² + (r − b) t) / 2 + l.
    cubic = np.float32(3.0) * (left - right) + after - before
    square = np.float32(2.0) * before - np.float32(5.0) * left + np.float32(4.0) * right - after
    return ((cubic * t + square) * t + (right - before)) * (np.float32(0.5) * t) + left


def scale_times(notes: Notes, ratio: float) -> Notes:
    """Notes that match audio played by `varispeed` at `ratio`: onsets and durations are **divided** by it.

    For a window of `length` samples that begins at `start_s`, audio and notes both cover length · ratio samples of the
    recording:
    `varispeed(samples[first:], ratio, length)` and `scale_times(notes.window(start_s, length_s * ratio), ratio)`.

    >>> scale_times(Notes.of([1.0], [0.5], [69], [64]), 2.0).onset_s.tolist()
    [0.5]
    """
    if not _SLOWEST <= ratio <= _FASTEST:
        raise ValueError(f"playback speed is within {_SLOWEST:g}–{_FASTEST:g}, got {ratio} (cents instead of a ratio?)")
    return Notes(notes.onset_s / ratio, notes.duration_s / ratio, notes.pitch, notes.velocity)
