"""Heads: layers that project a tower's output into the common space."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

NORMS = 2
Modulate = Callable[[Tensor, int], Tensor]


class LinearHead(nn.Module):
    """One Linear: [B, width] → [B, dimensions]. It has no batch statistics and takes no injections."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, dimensions)

    def forward(self, pooled: Tensor, modulate: Modulate | None = None) -> Tensor:
        embedded: Tensor = self.out(pooled)
        return embedded


class ProjectionHead(nn.Module):
    """(Linear → BatchNorm → ReLU) twice, then Linear: [B, width] → [B, dimensions] (paper §2).

    Linear weights are Xavier-uniform, their biases zero.
    """

    def __init__(self, width: int, hidden: int, dimensions: int) -> None:
        super().__init__()
        self.linears = nn.ModuleList([nn.Linear(width, hidden), nn.Linear(hidden, hidden)])
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(NORMS))
        self.out = nn.Linear(hidden, dimensions)
        for linear in (*self.linears, self.out):
            assert isinstance(linear, nn.Linear)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, pooled: Tensor, modulate: Modulate | None = None) -> Tensor:
        """`modulate(hidden, layer)` is applied after each norm: the injection point of the head."""
        hidden = pooled
        for layer, (linear, norm) in enumerate(zip(self.linears, self.norms, strict=True)):
            hidden = norm(linear(hidden))
            if modulate is not None:
                hidden = modulate(hidden, layer)
            hidden = F.relu(hidden)
        embedded: Tensor = self.out(hidden)
        return embedded
