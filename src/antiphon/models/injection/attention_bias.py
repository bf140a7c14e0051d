"""Attention bias: the descriptor of a position raises or lowers the attention to it (paper §4, later work)."""

from __future__ import annotations

from torch import Tensor, nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.align import aligned


class AttentionBias(nn.Module):
    """One Linear per layer from the descriptor, resampled to the tokens' length, to a bias per head and key.

    Initialised to zero. The paper names the mechanism only; this is our reading.
    """

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.bias = nn.ModuleList(nn.Linear(dimensions, shape.heads) for _ in range(shape.layers))
        for linear in self.bias:
            assert isinstance(linear, nn.Linear)
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, tokens: Tokens, descriptor: Tokens, layer: int) -> Tensor:
        """The bias that is added to the attention scores of every query: [B, heads, 1, T]."""
        resampled = aligned(descriptor, tokens.values.shape[1], tokens.padding).to(tokens.values.dtype)
        bias: Tensor = self.bias[layer](resampled)
        return bias.transpose(1, 2).unsqueeze(2)


MECHANISM = Mechanism("attention_bias", "attention", AttentionBias)
