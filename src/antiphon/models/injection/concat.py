"""Concatenation: the descriptor, resampled to the features' length, is concatenated with them (paper §4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.align import aligned


class Concat(nn.Module):
    """[features ‖ descriptor] → Linear back to the width → LayerNorm."""

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.mix = nn.Linear(shape.width + dimensions, shape.width)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tokens, descriptor: Tokens) -> Tokens:
        """Features [B, T, width] and descriptor [B, T′, K] → [B, T, width]."""
        resampled = aligned(descriptor, tokens.values.shape[1], tokens.padding).to(tokens.values.dtype)
        mixed: Tensor = self.norm(self.mix(torch.cat([tokens.values, resampled], dim=-1)))
        return Tokens(mixed, tokens.padding)


MECHANISM = Mechanism("concat", "features", Concat)
