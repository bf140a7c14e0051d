"""A notes tower that keeps time: a piano roll of onsets and sounding notes, then convolutions over time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from antiphon.models.batch import Batch, NoteBatch
from antiphon.models.towers import TowerKind
from antiphon.models.towers.convolutional import ConvolutionalTower

LOWEST, PITCHES = 21, 88


class PianoRoll(nn.Module):
    """Two piano rolls of 88 pitches, concatenated: [B, T, 176].

    The first has onsets: velocity / 127, distributed over two frames in proportion to the onset's position between
    them; of two onsets in one cell the louder counts. The second has sounding notes: velocity / 127 from onset to
    offset. Notes that began before the window have no onset in it. Pitches outside of the piano's range are excluded.
    """

    def __init__(self, frames: int, frame_s: float) -> None:
        super().__init__()
        self.frames, self.frame_s = frames, frame_s

    def forward(self, batch: Batch) -> Tensor:
        notes = batch.notes
        rows, rate = len(notes.pitch), 1 / self.frame_s
        key = notes.pitch - LOWEST
        kept = ~notes.padding & (key >= 0) & (key < PITCHES)
        loudness = notes.velocity.float() / 127 * kept
        onset = notes.onset_s * rate
        roll = loudness.new_zeros(rows, PITCHES, self.frames + 2)
        first = onset.floor()
        share = onset - first
        for frame, weight in ((first, 1 - share), (first + 1, share)):
            inside = kept & (onset >= 0) & (frame < self.frames)
            self._raise_to(roll, key, frame, loudness * weight * inside)
        return torch.cat([roll[..., : self.frames], self._sounding(notes, key, loudness)], dim=1).transpose(1, 2)

    def _raise_to(self, roll: Tensor, key: Tensor, frame: Tensor, value: Tensor) -> None:
        rows, _, length = roll.shape
        index = key.clamp(0, PITCHES - 1) * length + frame.clamp(0, length - 1).long()
        roll.view(rows, -1).scatter_reduce_(1, index, value, "amax")

    def _sounding(self, notes: NoteBatch, key: Tensor, loudness: Tensor) -> Tensor:
        """Velocity of the sounding notes [B, 88, T], summed where notes of one pitch overlap: a cumulative sum of
        onsets and offsets."""
        rows, length = len(key), self.frames + 1
        change = loudness.new_zeros(rows, PITCHES * length)
        begin = (notes.onset_s / self.frame_s).round().clamp(0, self.frames).long()
        end = ((notes.onset_s + notes.duration_s) / self.frame_s).round().clamp(0, self.frames).long()
        base = key.clamp(0, PITCHES - 1) * length
        change.scatter_add_(1, base + begin, loudness)
        change.scatter_add_(1, base + torch.maximum(end, (begin + 1).clamp_max(self.frames)), -loudness)
        return change.view(rows, PITCHES, length).cumsum(dim=2)[..., : self.frames]


def piano_roll_tower(frames: int, frame_s: float, **convolutions: Any) -> ConvolutionalTower:
    """A `ConvolutionalTower` over `PianoRoll`; `convolutions` are its other options."""
    return ConvolutionalTower(PianoRoll(frames, frame_s), 2 * PITCHES, **convolutions)


TOWER = TowerKind("piano_roll", "notes", piano_roll_tower)
