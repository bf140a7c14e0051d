"""Late fusion: embeddings concatenated with descriptors, then one linear projection of both modalities.

The projection has a closed form, Fisher's discriminant (1936, "The use of multiple measurements in taxonomic problems",
Annals of Eugenics 7). A class is a window with two members, its audio row a and its notes row b. The directions
maximise the covariance between the modalities, E[(abᵀ + baᵀ) / 2], relative to the scatter within windows,
E[(a − b)(a − b)ᵀ], which is regularised towards a multiple of the identity.
"""

from __future__ import annotations

import torch
from scipy.linalg import eigh
from torch import Tensor, nn
from torch.nn import functional as F

from antiphon.errors import AntiphonError
from antiphon.models.batch import Tokens


class LateFusionProjection(nn.Module):
    """[embedding ‖ descriptor], both scaled to unit norm → [B, dimensions]; one matrix for audio and notes.

    It is random until `PairScatter.projection` replaces it, and takes no gradient. Raises `AntiphonError` for fewer
    than 1 or more dimensions than inputs.
    """

    def __init__(self, embedding: int, descriptor: int, dimensions: int) -> None:
        super().__init__()
        inputs = embedding + descriptor
        if not 1 <= dimensions <= inputs:
            raise AntiphonError(
                f"late fusion projects {inputs} inputs to 1 to {inputs} dimensions, not to {dimensions}"
            )
        self.map = nn.Parameter(torch.randn(inputs, dimensions) / inputs**0.5, requires_grad=False)

    def forward(self, embedded: Tensor, descriptor: Tokens) -> Tensor:
        """Embeddings [B, embedding] and descriptors [B, T, K] → [B, dimensions], not normalised."""
        return self.inputs(embedded, descriptor) @ self.map

    @staticmethod
    def inputs(embedded: Tensor, descriptor: Tokens) -> Tensor:
        """The projection's input [B, embedding + T · K] from embeddings [B, embedding] and descriptors [B, T, K]."""
        flat = descriptor.values.flatten(1).to(embedded.dtype)
        return torch.cat([F.normalize(embedded, dim=1), F.normalize(flat, dim=1)], dim=1)


class PairScatter:
    """Covariance between both modalities, and scatter within windows: sums over pairs of rows [B, D].

    Memory: two float64 matrices [D, D], 0.4 GB for D = 5 056; `projection` needs twice as much again.
    """

    def __init__(self) -> None:
        self._pairs = 0
        self._between: Tensor | float = 0.0
        self._within: Tensor | float = 0.0

    def add(self, audio: Tensor, notes: Tensor) -> None:
        """Add the rows of some windows, float32 [B, D] per modality."""
        difference = audio - notes
        self._pairs += len(audio)
        self._between = self._between + (audio.T @ notes).double()
        self._within = self._within + (difference.T @ difference).double()

    def projection(self, dimensions: int, ridge: float) -> Tensor:
        """The projection float32 [D, dimensions], directions in order of falling eigenvalue.

        The within-window scatter S is regularised to S + ridge · tr(S) / D · I. Raises `ValueError` when no windows
        were added.
        """
        if not isinstance(self._between, Tensor) or not isinstance(self._within, Tensor):
            raise ValueError("no windows were added")
        between = (self._between + self._between.T) / (2 * self._pairs)
        within = self._within / self._pairs
        size = len(within)
        within = within + ridge * within.trace() / size * torch.eye(size, dtype=within.dtype, device=within.device)
        chosen = (max(0, size - dimensions), size - 1)
        _, directions = eigh(between.cpu().numpy(), within.cpu().numpy(), subset_by_index=chosen)
        return torch.from_numpy(directions[:, ::-1].copy()).float()
