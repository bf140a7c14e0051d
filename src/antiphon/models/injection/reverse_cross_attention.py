"""Reverse cross-attention: the descriptor's frames attend to the features and replace them as tokens (paper §4).

The transformer then processes 188 tokens instead of the 2400 of the paper's baseline.
"""

from __future__ import annotations

import torch
from torch import nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.cross_attention import Attend


class ReverseCrossAttention(nn.Module):
    """tokens ← LayerNorm(q + attention(q → tokens)) with q = Linear(descriptor) + learned positions.

    `positions` is the largest number of descriptor frames; more raise `ValueError`. 200 gives the paper's parameter
    count. For descriptors of notes it must be the largest number of notes in a window.
    """

    def __init__(self, shape: Shape, dimensions: int, positions: int = 200) -> None:
        super().__init__()
        self.project = nn.Linear(dimensions, shape.width)
        self.positions = nn.Parameter(torch.empty(positions, shape.width).normal_(std=0.02))
        self.attend = Attend(shape)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tokens, descriptor: Tokens) -> Tokens:
        length = descriptor.values.shape[1]
        if length > len(self.positions):
            raise ValueError(f"{length} descriptor frames exceed the {len(self.positions)} learned positions")
        queries = self.project(descriptor.values.to(self.project.weight.dtype)) + self.positions[:length]
        return Tokens(self.norm(queries + self.attend(queries, tokens)), descriptor.padding)


MECHANISM = Mechanism("reverse_cross_attention", "tokens", ReverseCrossAttention)
