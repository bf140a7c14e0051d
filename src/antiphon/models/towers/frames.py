"""Shared part of the transformer audio towers: frames, learned positions, post-norm transformer, mean over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from antiphon.models.batch import Batch, Tokens
from antiphon.models.towers.transformer import TransformerLayer


class FrameTower(nn.Module):
    """Samples [B, S] → [B, width] (paper §2). `front` turns samples [B, S] into frames [B, T, width]."""

    def __init__(
        self,
        front: nn.Module,
        width: int,
        layers: int,
        heads: int,
        ffn: int,
        max_positions: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.width, self.pooled_width, self.heads = width, width, heads
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.front = front
        self.positions = nn.Parameter(torch.empty(max_positions, width).normal_(std=0.02))
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, ffn, dropout, attention_dropout, norm_first=False) for _ in range(layers)
        )

    def features(self, batch: Batch) -> Tokens:
        return Tokens(self.front(batch.audio))

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens:
        length = tokens.values.shape[1]
        if length > len(self.positions):
            raise ValueError(f"{length} frames exceed the {len(self.positions)} learned positions")
        return Tokens(tokens.values + self.positions[:length], tokens.padding)

    def pool(self, tokens: Tokens) -> Tensor:
        return tokens.mean()
