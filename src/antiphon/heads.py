"""Projection heads: from a tower's vector into the common space."""

from __future__ import annotations

from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """(Linear → BatchNorm → ReLU) twice, then Linear: [B, width] → [B, dimensions] (paper §2).

    Linear weights are Xavier-uniform, their biases zero.
    """

    def __init__(self, width: int, hidden: int, dimensions: int) -> None:
        super().__init__()
        self.steps = nn.Sequential(
            nn.Linear(width, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, dimensions),
        )
        for step in self.steps:
            if isinstance(step, nn.Linear):
                nn.init.xavier_uniform_(step.weight)
                nn.init.zeros_(step.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        return self.steps(pooled)
