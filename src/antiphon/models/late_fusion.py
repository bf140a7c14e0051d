"""A linear map for both sides of a window at once, found in closed form: near to each other, far from other windows.

Fisher's discriminant (1936, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7) with two
rows to a class, a window's sound a and its notes b: of all directions those along which the sides vary most together,
E[(abᵀ + baᵀ) / 2], against how far they lie apart, E[(a − b)(a − b)ᵀ], which is shrunk towards a sphere.
"""

from __future__ import annotations

import torch
from scipy.linalg import eigh
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.models.batch import Tokens


class LateFusionProjection(nn.Module):
    """[embedding ‖ descriptor], either of unit length → `dimensions` numbers; the same map for sound and for notes.

    Gradients do not change it: `PairScatter` finds it for what a trained network gives. Random before that. Raises
    `AntiphonError` for more dimensions than there are numbers to map.
    """

    def __init__(self, embedding: int, descriptor: int, dimensions: int) -> None:
        super().__init__()
        inputs = embedding + descriptor
        if not 1 <= dimensions <= inputs:
            raise AntiphonError(f"{inputs} numbers are mapped to 1 up to as many, not to {dimensions}")
        self.map = nn.Parameter(torch.randn(inputs, dimensions) / inputs**0.5, requires_grad=False)

    def forward(self, embedded: Tensor, descriptor: Tokens) -> Tensor:
        return self.inputs(embedded, descriptor) @ self.map

    @staticmethod
    def inputs(embedded: Tensor, descriptor: Tokens) -> Tensor:
        """What is mapped, [B, embedding + T · K] of embeddings [B, embedding] and descriptors [B, T, K]."""
        beside = descriptor.values.flatten(1).to(embedded.dtype)
        return torch.cat([F.normalize(embedded, dim=1), F.normalize(beside, dim=1)], dim=1)


class PairScatter:
    """How the two sides of windows vary together, and apart: sums over pairs of rows [B, D].

    Holds two float64 matrices [D, D], 0.4 GB for 5 056 numbers; to solve for the map takes as much again, twice.
    """

    def __init__(self) -> None:
        self._pairs = 0
        self._together: Tensor | float = 0.0
        self._apart: Tensor | float = 0.0

    def add(self, audio: Tensor, notes: Tensor) -> None:
        """Count both sides of some windows, float32 [B, D] each."""
        difference = audio - notes
        self._pairs += len(audio)
        self._together = self._together + (audio.T @ notes).double()
        self._apart = self._apart + (difference.T @ difference).double()

    def late_fusion(self, dimensions: int, ridge: float) -> Tensor:
        """The map [D, dimensions], float32, its directions in order of how well they tell windows apart.

        `ridge` is how much of a sphere of the same mean scatter is added to what lies apart. Raises `ValueError` before
        anything was counted.
        """
        if not isinstance(self._together, Tensor) or not isinstance(self._apart, Tensor):
            raise ValueError("no windows were counted")
        together = (self._together + self._together.T) / (2 * self._pairs)
        apart = self._apart / self._pairs
        size = len(apart)
        apart = apart + ridge * apart.trace() / size * torch.eye(size, dtype=apart.dtype, device=apart.device)
        chosen = (max(0, size - dimensions), size - 1)
        _, directions = eigh(together.cpu().numpy(), apart.cpu().numpy(), subset_by_index=chosen)
        return torch.from_numpy(directions[:, ::-1].copy()).float()
