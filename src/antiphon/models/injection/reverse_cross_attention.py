"""reverse cross-attention: the descriptor's frames ask, features answer, and the tower goes on with those frames.

After it the transformer runs on 188 tokens instead of the paper's 2400 (paper §4).
"""

from __future__ import annotations

import torch
from torch import nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.cross_attention import Attend


class ReverseCrossAttention(nn.Module):
    """tokens ← LayerNorm(q + attention(q → tokens)) with q = Linear(descriptor) + learned positions.

    `positions` is the longest descriptor there is room for. 200 is the number that gives the paper's count of
    parameters; for descriptors of notes it has to be the longest window of notes.
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
            raise ValueError(f"{length} descriptor frames, but positions are learned for {len(self.positions)} only")
        asking = self.project(descriptor.values.to(self.project.weight.dtype)) + self.positions[:length]
        return Tokens(self.norm(asking + self.attend(asking, tokens)), descriptor.padding)


MECHANISM = Mechanism("reverse_cross_attention", "tokens", ReverseCrossAttention)
