"""concat: the descriptor, brought to the features' length, is concatenated to them and mixed in (paper §4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.batch import Tokens
from antiphon.injection import Mechanism


class Concat(nn.Module):
    """[features ‖ descriptor] → Linear back to the width → LayerNorm."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width + dimensions, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tokens, descriptor: Tokens) -> Tokens:
        aligned = at_length(descriptor.values, tokens.values.shape[1])
        mixed: Tensor = self.norm(self.mix(torch.cat([tokens.values, aligned.to(tokens.values.dtype)], dim=-1)))
        return Tokens(mixed, tokens.padding)


def at_length(values: Tensor, length: int) -> Tensor:
    """Linear interpolation in time of [B, T, K] to [B, length, K]; the same tensor where T already fits."""
    if values.shape[1] == length:
        return values
    return F.interpolate(values.transpose(1, 2), size=length, mode="linear", align_corners=False).transpose(1, 2)


MECHANISM = Mechanism("concat", "features", Concat)
