"""The paper's audio tower: convolutions on the waveform, learned positions, post-norm transformer, mean over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from antiphon.batch import Batch, Tokens
from antiphon.towers import TowerKind
from antiphon.towers.transformer import TransformerLayer

_GROUPS = 32


class WaveformTower(nn.Module):
    """Samples [B, S] → [B, width] (paper §2).

    Four convolutions, each followed by GroupNorm(32) and GELU; with the paper's options 96 000 samples become 2400
    frames of 1024.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        paddings: Sequence[int],
        layers: int,
        heads: int,
        ffn: int,
        max_positions: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.width = channels[-1]
        blocks: list[nn.Module] = []
        before = 1
        for after, kernel, stride, padding in zip(channels, kernels, strides, paddings, strict=True):
            blocks += [
                nn.Conv1d(before, after, kernel, stride, padding),
                nn.GroupNorm(_GROUPS, after),
                nn.GELU(),
            ]
            before = after
        self.convolutions = nn.Sequential(*blocks)
        self.positions = nn.Parameter(torch.empty(max_positions, self.width).normal_(std=0.02))
        self.layers = nn.ModuleList(
            TransformerLayer(self.width, heads, ffn, dropout, attention_dropout, norm_first=False)
            for _ in range(layers)
        )

    def features(self, batch: Batch) -> Tokens:
        frames: Tensor = self.convolutions(batch.audio.unsqueeze(1))
        return Tokens(frames.transpose(1, 2))

    def add_positions(self, tokens: Tokens) -> Tokens:
        length = tokens.values.shape[1]
        if length > len(self.positions):
            raise ValueError(f"{length} frames, but positions are learned for {len(self.positions)} only")
        return Tokens(tokens.values + self.positions[:length], tokens.padding)

    def pool(self, tokens: Tokens) -> Tensor:
        return tokens.mean()


TOWER = TowerKind("waveform", "audio", WaveformTower)
