"""Batches, the input of towers: windows of audio and padded windows of notes as tensors.

Shapes: B batch, S samples, N notes, T frames, D width. Masks are True where padded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from antiphon.io.notes import Notes
from antiphon.types import AS_RECORDED, Overlap, Playback

MAX_NOTES = 2048


@dataclass(frozen=True, eq=False)
class Tokens:
    """Sequences of vectors: `values` [B, T, D]; `padding` bool [B, T], or None when nothing is padded."""

    values: Tensor
    padding: Tensor | None = None

    def mean(self) -> Tensor:
        """Mean over unpadded positions [B, D]; zeros for a row without any."""
        if self.padding is None:
            return self.values.mean(dim=1)
        kept = (~self.padding).unsqueeze(-1).to(self.values.dtype)
        return (self.values * kept).sum(dim=1) / kept.sum(dim=1).clamp_min(1.0)


@dataclass(frozen=True, eq=False)
class NoteBatch:
    """B windows of up to N notes: onsets and durations float32 [B, N] in seconds, onsets from the window's start; pitch
    and velocity int64 [B, N], MIDI numbers; padding bool [B, N]. A window without notes is a row of padding."""

    onset_s: Tensor
    duration_s: Tensor
    pitch: Tensor
    velocity: Tensor
    padding: Tensor

    def to(self, device: torch.device) -> NoteBatch:
        """The notes on another device; from pinned memory the copy is asynchronous."""
        return NoteBatch(**{one.name: getattr(self, one.name).to(device, non_blocking=True) for one in fields(self)})


@dataclass(frozen=True, eq=False)
class Batch:
    """`audio` float32 [B, S] mono and the notes of the same B windows.

    `playback` is the tempo and the transposition at which the audio is embedded: S samples make a window of S / tempo.
    The notes have them applied already. `overlap`, where known, is the recording's samples and the windows' begins.

    In training, `false_negatives` bool [B, B] is the mask of windows that must not count as negatives of each other:
    those that overlap in time, and other performances of the same work. `work` int64 [B] numbers their works.
    """

    audio: Tensor
    notes: NoteBatch
    false_negatives: Tensor | None = None
    work: Tensor | None = None
    playback: Playback = AS_RECORDED
    overlap: Overlap | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on another device; from pinned memory the copy is asynchronous."""
        return self._moved(lambda tensor: tensor.to(device, non_blocking=True), self.notes.to(device))

    def pin_memory(self) -> Batch:
        """The batch in page-locked memory. PyTorch's data loader calls this method."""
        pinned = {field.name: getattr(self.notes, field.name).pin_memory() for field in fields(NoteBatch)}
        return self._moved(Tensor.pin_memory, NoteBatch(**pinned))

    def _moved(self, move: Callable[[Tensor], Tensor], notes: NoteBatch) -> Batch:
        return replace(
            self,
            audio=move(self.audio),
            notes=notes,
            false_negatives=None if self.false_negatives is None else move(self.false_negatives),
            work=None if self.work is None else move(self.work),
            overlap=None if self.overlap is None else Overlap(move(self.overlap.samples), move(self.overlap.begin)),
        )


def collate_notes(windows: Sequence[Notes]) -> NoteBatch:
    """Pad windows of notes to the longest; a window keeps at most its first 2048 notes.

    >>> collate_notes([Notes.of([0.5], [1.0], [60], [80]), Notes.of([], [], [], [])]).padding.tolist()
    [[False], [True]]
    """
    lengths = np.array([min(len(window), MAX_NOTES) for window in windows])
    width = max(1, int(lengths.max(initial=0)))

    def padded(name: str, dtype: type[np.generic]) -> Tensor:
        columns: NDArray[np.generic] = np.zeros((len(windows), width), dtype)
        for row, (window, length) in enumerate(zip(windows, lengths, strict=True)):
            columns[row, :length] = getattr(window, name)[:length]
        return torch.from_numpy(columns)

    return NoteBatch(
        onset_s=padded("onset_s", np.float32),
        duration_s=padded("duration_s", np.float32),
        pitch=padded("pitch", np.int64),
        velocity=padded("velocity", np.int64),
        padding=torch.from_numpy(np.arange(width)[None] >= lengths[:, None]),
    )


def collate(audio: NDArray[np.float32], windows: Sequence[Notes], playback: Playback = AS_RECORDED) -> Batch:
    """Windows of audio [B, S], to be embedded at `playback`, and the notes of the same windows, as one batch."""
    return Batch(torch.from_numpy(np.ascontiguousarray(audio)), collate_notes(windows), playback=playback)
