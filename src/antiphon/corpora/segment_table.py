"""Windows of recordings: the grid of their start times, the table of all windows of a corpus, and their samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from antiphon.corpora import Recording
from antiphon.io.notes import Notes
from antiphon.signal.varispeed import scale_times
from antiphon.types import AS_RECORDED, Overlap, Playback

HEADER_SLACK_S = 1e-3
"""Tolerance in seconds, because an audio file may be shorter than its metadata by a rounding error."""


class HasWork(Protocol):
    @property
    def work(self) -> str: ...


@dataclass(frozen=True)
class WindowGrid:
    """A grid of windows of `window_s` seconds every `hop_s` seconds, at most `max_windows` per recording.

    `max_windows=None` sets no limit. The window length belongs to the model: use `of_windows(embedder.window_s)` to
    embed the windows of a grid.
    """

    window_s: float = 4.0
    hop_s: float = 1.0
    max_windows: int | None = 100

    def of_windows(self, window_s: float) -> WindowGrid:
        """The same grid with another window length."""
        return replace(self, window_s=window_s)

    def starts_s(self, duration_s: float) -> NDArray[np.float64]:
        """Start times of all windows that lie completely within `duration_s` seconds.

        >>> WindowGrid().starts_s(6.5)
        array([0., 1., 2.])
        """
        count = max(0, int((duration_s - self.window_s + HEADER_SLACK_S) // self.hop_s) + 1)
        if self.max_windows is not None:
            count = min(count, self.max_windows)
        return np.arange(count, dtype=np.float64) * self.hop_s


PAPER_GRID = WindowGrid()
"""The grid of the paper (§1): 4-s windows with a hop of 1 s, at most 100 per recording: its first 103 s."""


@dataclass(frozen=True)
class SegmentTable:
    """A table of n windows of length `window_s`.

    Window i starts at `start_s[i]` (float64 [n], seconds) of the recording `recordings[recording[i]]` (int64 [n]).
    """

    recordings: tuple[Recording, ...]
    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    window_s: float

    @classmethod
    def over(cls, recordings: Sequence[Recording], grid: WindowGrid = PAPER_GRID) -> SegmentTable:
        """The table of all windows of a grid, ordered by recording and start time."""
        starts = [grid.starts_s(recording.duration_s) for recording in recordings]
        owner = np.repeat(np.arange(len(starts)), [len(found) for found in starts])
        return cls(tuple(recordings), owner, np.concatenate([*starts, np.zeros(0)]), grid.window_s)

    def __len__(self) -> int:
        return len(self.recording)

    @cached_property
    def composer(self) -> NDArray[np.int64]:
        """The number of each window's composer [n]. A recording without composer counts as a composer of its own."""
        return numbered([recording.composer or recording.id for recording in self.recordings])[self.recording]

    @cached_property
    def work(self) -> NDArray[np.int64]:
        """The number of each window's work [n]; all performances of a work have the same number."""
        return work_numbers(self.recordings)[self.recording]


def numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """Numbers of names [n], from 0 in alphabetical order; equal names have equal numbers.

    >>> numbered(["b", "a", "b"])
    array([1, 0, 1])
    """
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].reshape(-1)


def work_numbers(recordings: Iterable[HasWork]) -> NDArray[np.int64]:
    """The number of each recording's work [n]; all performances of a work have the same number."""
    return numbered([recording.work for recording in recordings])


@dataclass(frozen=True, eq=False)
class SoundWindows:
    """n windows of `length` samples of one recording; window i begins at sample `begin[i]` (int64 [n]).

    All windows lie within the mono `samples`. Windows are copied only on access: copies of all 4-s windows of an hour,
    with a hop of a second, would take a gigabyte.
    """

    samples: NDArray[np.float32]
    begin: NDArray[np.int64]
    length: int

    @classmethod
    def at(
        cls, samples: NDArray[np.float32], sample_rate_hz: int, starts_s: NDArray[np.float64], window_s: float
    ) -> SoundWindows:
        """Windows that begin at these times, with zeros before the first sample and after the last."""
        length = round(window_s * sample_rate_hz)
        begin = np.rint(starts_s * sample_rate_hz).astype(np.int64)
        before, after = max(0, -int(begin.min(initial=0))), max(0, int(begin.max(initial=0)) + length - len(samples))
        return cls(np.pad(samples, (before, after)) if before or after else samples, begin + before, length)

    def __len__(self) -> int:
        return len(self.begin)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Copies of some windows [k, length]."""
        return np.lib.stride_tricks.sliding_window_view(self.samples, self.length)[self.begin[index]]

    def overlap(self, index: NDArray[np.int64]) -> Overlap:
        """The samples that some of the windows cover, and the positions of these windows in them."""
        begin = self.begin[index]
        first, last = int(begin.min()), int(begin.max()) + self.length
        return Overlap(torch.from_numpy(self.samples[first:last]), torch.from_numpy(begin - first))


def cut_windows(
    samples: NDArray[np.float32], sample_rate_hz: int, starts_s: NDArray[np.float64], window_s: float
) -> NDArray[np.float32]:
    """Cut windows [n, length] from mono samples, with zeros before the first sample and after the last."""
    return SoundWindows.at(samples, sample_rate_hz, starts_s, window_s)[:]


def at_playback(notes: Notes, playback: Playback) -> Notes:
    """Apply a tempo and a transposition to notes; notes whose pitch leaves 0–127 are dropped.

    >>> played = at_playback(Notes.of([1.0, 2.0], [0.5, 0.5], [60, 126], [64, 64]), Playback(tempo=2.0, semitones=3))
    >>> played.onset_s.tolist(), played.pitch.tolist()
    ([0.5], [63])
    """
    if playback == AS_RECORDED:
        return notes
    notes = scale_times(notes, playback.tempo)
    pitch = notes.pitch.astype(np.int64) + playback.semitones
    kept = (pitch >= 0) & (pitch <= 127)
    return Notes(notes.onset_s[kept], notes.duration_s[kept], pitch[kept].astype(np.uint8), notes.velocity[kept])
