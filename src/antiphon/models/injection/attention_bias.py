"""Attention bias: the descriptor of a position makes every query attend to it more or less (paper §4, later work)."""

from __future__ import annotations

from torch import Tensor, nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.align import aligned


class AttentionBias(nn.Module):
    """A Linear per layer from the descriptor, brought to the tokens' length, to one bias per head and key.

    It starts at zero. The paper names the mechanism only; this is our reading of it.
    """

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.bias = nn.ModuleList(nn.Linear(dimensions, shape.heads) for _ in range(shape.layers))
        for linear in self.bias:
            assert isinstance(linear, nn.Linear)
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tokens, descriptor: Tokens, layer: int) -> Tensor:
        """What is added to the attention scores of every query: [B, heads, 1, T]."""
        beside = aligned(descriptor, tokens.values.shape[1], tokens.padding).to(tokens.values.dtype)
        bias: Tensor = self.bias[layer](beside)
        return bias.transpose(1, 2).unsqueeze(2)


MECHANISM = Mechanism("attention_bias", "attention", AttentionBias)
