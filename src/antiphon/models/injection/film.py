"""FiLM: the descriptor's mean over time scales and shifts every layer's output (paper §4; Perez et al. 2018)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Penalties, Shape


class Modulation(nn.Module):
    """h ← (1 + γ)h + β, with (γ, β) of each layer from a hidden layer of 128 units over the mean descriptor.

    The last Linear of each layer is initialised to zero, so modulation starts as the identity. All layers share the
    hidden layer, which gives the paper's parameter counts.
    """

    def __init__(self, shape: Shape, dimensions: int, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Linear(dimensions, hidden)
        self.scale_shift = nn.ModuleList(nn.Linear(hidden, 2 * shape.width) for _ in range(shape.layers))
        for linear in self.scale_shift:
            assert isinstance(linear, nn.Linear)
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, hidden: Tensor, descriptor: Tokens, layer: int) -> Tensor:
        """Modulate `hidden` [B, …, D] by the descriptor [B, T, K]."""
        summary = F.relu(self.hidden(descriptor.mean().to(self.hidden.weight.dtype)))
        scale, shift = self.scale_shift[layer](summary).chunk(2, dim=-1)
        if hidden.dim() == 3:
            scale, shift = scale.unsqueeze(1), shift.unsqueeze(1)
        return (1 + scale) * hidden + shift


class Film(nn.Module):
    """Modulation after every transformer layer."""

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.modulation = Modulation(shape, dimensions)

    def forward(self, tokens: Tokens, descriptor: Tokens, layer: int) -> tuple[Tokens, Penalties]:
        return Tokens(self.modulation(tokens.values, descriptor, layer), tokens.padding), {}


MECHANISM = Mechanism("film", "layers", Film)
