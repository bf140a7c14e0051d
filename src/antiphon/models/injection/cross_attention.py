"""Cross-attention from features to the descriptor at its own frame rate (paper §4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.towers.transformer import attendable


class Attend(nn.Module):
    """Multi-head attention from one sequence to another, through the fused kernel, with the number of parameters and
    the initialisation of `torch.nn.MultiheadAttention`. Padded keys are not attended to."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = shape.attention_dropout
        self.query = nn.Linear(shape.width, shape.width)
        self.key_value = nn.Linear(shape.width, 2 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        for linear in (self.query, self.key_value):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, queries: Tensor, context: Tokens) -> Tensor:
        """Queries [B, T, D] attend to `context` [B, S, D]: [B, T, D]."""
        rows, length, width = queries.shape
        query = self.query(queries).view(rows, length, self.heads, -1).transpose(1, 2)
        key, value = self.key_value(context.values).view(rows, -1, 2, self.heads, width // self.heads).unbind(2)
        attended = F.scaled_dot_product_attention(
            query,
            key.transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=None if context.padding is None else attendable(context.padding)[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out(attended.transpose(1, 2).reshape(rows, length, width))
        return out


class CrossAttention(nn.Module):
    """tokens ← LayerNorm(tokens + attention(tokens → Linear(descriptor))).

    Tokens whose descriptor is empty (a window without notes) are normalised only.
    """

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.project = nn.Linear(dimensions, shape.width)
        self.attend = Attend(shape)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, tokens: Tokens, descriptor: Tokens) -> Tokens:
        context = Tokens(self.project(descriptor.values.to(self.project.weight.dtype)), descriptor.padding)
        attended = self.attend(tokens.values, context)
        if descriptor.padding is not None:
            attended = torch.where(descriptor.padding.all(dim=1)[:, None, None], 0.0, attended)
        return Tokens(self.norm(tokens.values + attended), tokens.padding)


MECHANISM = Mechanism("cross_attention", "tokens", CrossAttention)
