"""The paper's notes tower: embeddings of pitch, velocity and duration per note, in order, without onset times."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from antiphon.models.batch import MAX_NOTES, Batch, NoteBatch, Tokens
from antiphon.models.towers import TowerKind
from antiphon.models.towers.transformer import TransformerLayer, sinusoidal, sinusoidal_positions

DURATION_BUCKETS = 32
_SHORTEST_S, _LONGEST_S = 0.05, 4.0
_POSITIONS_PER_S = 64


def duration_bucket(duration_s: Tensor) -> Tensor:
    """Durations in seconds → buckets 0–31, logarithmic from 0.05 s to 4 s (paper §1): floor(31·log(d/0.05)/log 80).

    >>> duration_bucket(torch.tensor([0.0, 0.05, 0.5, 4.0, 60.0])).tolist()
    [0, 0, 16, 31, 31]
    """
    clamped = duration_s.double().clamp(_SHORTEST_S, _LONGEST_S)
    scaled = (DURATION_BUCKETS - 1) * torch.log(clamped / _SHORTEST_S) / math.log(_LONGEST_S / _SHORTEST_S)
    return (scaled + 1e-9).floor().long().clamp(0, DURATION_BUCKETS - 1)


class NoteSequenceTower(nn.Module):
    """Notes in (onset, pitch) order → [B, width] (paper §2).

    Embeddings of pitch, velocity and duration bucket, concatenated → Linear → LayerNorm; sinusoidal positions;
    pre-norm layers; LayerNorm; mean over unpadded notes. A window without notes gives zeros; the paper inserts a dummy
    note.

    `positions` selects what the sinusoids encode: the note's `order`, as in the paper, or its `onset` in units of
    1/64 s from the window's start. Both have the same number of parameters.
    """

    def __init__(
        self,
        pitch_width: int,
        velocity_width: int,
        duration_width: int,
        width: int,
        layers: int,
        heads: int,
        ffn: int,
        dropout: float,
        attention_dropout: float,
        positions: Literal["order", "onset"] = "order",
    ) -> None:
        super().__init__()
        self.width, self.pooled_width, self.heads = width, width, heads
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.pitch = nn.Embedding(128, pitch_width)
        self.velocity = nn.Embedding(128, velocity_width)
        self.duration = nn.Embedding(DURATION_BUCKETS, duration_width)
        self.mix = nn.Linear(pitch_width + velocity_width + duration_width, width)
        self.norm_mix = nn.LayerNorm(width)
        self.by_onset = positions == "onset"
        self.register_buffer("positions", sinusoidal_positions(MAX_NOTES, width), persistent=False)
        self.drop = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, ffn, dropout, attention_dropout, norm_first=True) for _ in range(layers)
        )
        self.norm_out = nn.LayerNorm(width)

    def features(self, batch: Batch) -> Tokens:
        notes: NoteBatch = batch.notes
        embedded = torch.cat(
            [
                self.pitch(notes.pitch),
                self.velocity(notes.velocity),
                self.duration(duration_bucket(notes.duration_s)),
            ],
            dim=-1,
        )
        return Tokens(self.norm_mix(self.mix(embedded)), notes.padding)

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens:
        positions: Tensor = self.get_buffer("positions")[: tokens.values.shape[1]]
        if self.by_onset:
            positions = sinusoidal(batch.notes.onset_s * _POSITIONS_PER_S, self.width)
        return Tokens(self.drop(tokens.values + positions), tokens.padding)

    def pool(self, tokens: Tokens) -> Tensor:
        return Tokens(self.norm_out(tokens.values), tokens.padding).mean()


TOWER = TowerKind("note_sequence", "notes", NoteSequenceTower)
