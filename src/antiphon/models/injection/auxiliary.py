"""Auxiliary branch: an embedding of a descriptor of the whole window, for an additional loss term (paper §3).

The paper gives only the weight of the additional VICReg, 0.1. The arm selects the embedding to match the branch with.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.third_tower import concatenated


class AuxiliaryBranch(nn.Module):
    """Mean over time → Linear to the tower's width, BatchNorm, ReLU, Linear to the common space."""

    def __init__(self, shape: Shape, dimensions: int) -> None:
        super().__init__()
        self.first = nn.Linear(dimensions, shape.width)
        self.norm = nn.BatchNorm1d(shape.width)
        self.out = nn.Linear(shape.width, shape.embedding)

    def forward(self, descriptors: Sequence[Tokens]) -> Tensor:
        """Descriptors [B, T, K] → [B, embedding]."""
        summary = concatenated(descriptors).mean().to(self.first.weight.dtype)
        embedded: Tensor = self.out(F.relu(self.norm(self.first(summary))))
        return embedded


MECHANISM = Mechanism("auxiliary", "branch", AuxiliaryBranch)
