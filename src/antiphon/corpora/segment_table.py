"""Windows over recordings: the grid that scores are reported on, and the batch that towers see.

The paper's grid (§1): windows of 4 s every 1 s, at most 100 per recording, so that only its first 103 s count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from antiphon.corpora import Recording
from antiphon.io.notes import Notes
from antiphon.signal.varispeed import scale_times
from antiphon.types import AS_RECORDED, Overlap, Playback

HEADER_SLACK_S = 1e-3
"""A sound file may be a rounding shorter than the duration its metadata gives."""


@dataclass(frozen=True)
class WindowGrid:
    """Windows of `window_s` every `hop_s` seconds, at most `max_windows` of them (None: as many as fit).

    A model has its own window: whatever embeds the windows of a grid takes `of_windows(embedder.window_s)`.
    """

    window_s: float = 4.0
    hop_s: float = 1.0
    max_windows: int | None = 100

    def of_windows(self, window_s: float) -> WindowGrid:
        """The grid of the same hop and limit for windows of another length."""
        return replace(self, window_s=window_s)

    def starts_s(self, duration_s: float) -> NDArray[np.float64]:
        """Starts of the whole windows that fit into `duration_s` seconds.

        >>> WindowGrid().starts_s(6.5)
        array([0., 1., 2.])
        """
        count = max(0, int((duration_s - self.window_s + HEADER_SLACK_S) // self.hop_s) + 1)
        if self.max_windows is not None:
            count = min(count, self.max_windows)
        return np.arange(count, dtype=np.float64) * self.hop_s


PAPER_GRID = WindowGrid()


@dataclass(frozen=True)
class SegmentTable:
    """n windows: `recording` int [n] points into `recordings`, `start_s` float [n], all of length `window_s`."""

    recordings: tuple[Recording, ...]
    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    window_s: float

    @classmethod
    def over(cls, recordings: Sequence[Recording], grid: WindowGrid = PAPER_GRID) -> SegmentTable:
        """All windows of the grid, recording by recording."""
        starts = [grid.starts_s(recording.duration_s) for recording in recordings]
        owner = np.repeat(np.arange(len(starts)), [len(found) for found in starts])
        return cls(tuple(recordings), owner, np.concatenate([*starts, np.zeros(0)]), grid.window_s)

    def __len__(self) -> int:
        return len(self.recording)

    @cached_property
    def composer(self) -> NDArray[np.int64]:
        """Composer number of each window [n]; recordings of unknown composer each count as their own."""
        return _numbered([recording.composer or recording.id for recording in self.recordings])[self.recording]

    @cached_property
    def work(self) -> NDArray[np.int64]:
        """Work number of each window [n]: equal for performances of one composition."""
        return _numbered([recording.work for recording in self.recordings])[self.recording]


def _numbered(names: list[str]) -> NDArray[np.int64]:
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True, eq=False)
class SoundWindows:
    """n windows of `length` mono samples, window i from sample `begin[i]` int64 [n] on; all lie within `samples`.

    Nothing is copied before windows are asked for: those of an hour, a second apart, are a gigabyte.
    """

    samples: NDArray[np.float32]
    begin: NDArray[np.int64]
    length: int

    @classmethod
    def at(
        cls, samples: NDArray[np.float32], sample_rate_hz: int, starts_s: NDArray[np.float64], window_s: float
    ) -> SoundWindows:
        """Windows at these times; zeros where one begins before the first sample or passes the last."""
        length = round(window_s * sample_rate_hz)
        begin = np.rint(starts_s * sample_rate_hz).astype(np.int64)
        before, after = max(0, -int(begin.min(initial=0))), max(0, int(begin.max(initial=0)) + length - len(samples))
        return cls(np.pad(samples, (before, after)) if before or after else samples, begin + before, length)

    def __len__(self) -> int:
        return len(self.begin)

    def __getitem__(self, index: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """Some of the windows [k, length], copied."""
        return np.lib.stride_tricks.sliding_window_view(self.samples, self.length)[self.begin[index]]

    def overlap(self, index: NDArray[np.int64]) -> Overlap:
        """Where some of the windows were cut from, and no more than that."""
        begin = self.begin[index]
        first, last = int(begin.min()), int(begin.max()) + self.length
        return Overlap(torch.from_numpy(self.samples[first:last]), torch.from_numpy(begin - first))


def cut_windows(
    samples: NDArray[np.float32], sample_rate_hz: int, starts_s: NDArray[np.float64], window_s: float
) -> NDArray[np.float32]:
    """Windows [n, window] of mono samples; zeros where one begins before the first sample or passes the last."""
    return SoundWindows.at(samples, sample_rate_hz, starts_s, window_s)[:]


def at_playback(notes: Notes, playback: Playback) -> Notes:
    """The notes of a recording, or of a window of it, at another playback; those that leave 0–127 are dropped.

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
