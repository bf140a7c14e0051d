"""Third tower: a small transformer that embeds descriptors in the common space (paper §4).

The arm selects the pairs of embeddings that the loss matches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from antiphon.models.batch import Tokens
from antiphon.models.injection import Mechanism, Shape
from antiphon.models.injection.align import aligned
from antiphon.models.towers.transformer import TransformerLayer, sinusoidal_positions


class ThirdTower(nn.Module):
    """[descriptors, resampled to the length of the first] → Linear → LayerNorm → sinusoidal positions → pre-norm
    layers → LayerNorm → mean → Linear, BatchNorm, ReLU, Linear.

    The width is half that of the notes tower (`shape`), 256 in the paper; the feed-forward block has four times that.
    """

    def __init__(self, shape: Shape, dimensions: int, layers: int = 2, heads: int = 4, max_frames: int = 2048) -> None:
        super().__init__()
        width = shape.width // 2
        self.mix = nn.Linear(dimensions, width)
        self.norm_mix = nn.LayerNorm(width)
        self.register_buffer("positions", sinusoidal_positions(max_frames, width), persistent=False)
        self.dropout = nn.Dropout(shape.dropout)
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, 4 * width, shape.dropout, shape.attention_dropout, norm_first=True)
            for _ in range(layers)
        )
        self.norm_out = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, shape.embedding)
        )

    def forward(self, descriptors: Sequence[Tokens]) -> Tensor:
        """Descriptors [B, T, K] → [B, embedding]."""
        tokens = concatenated(descriptors)
        mixed = self.norm_mix(self.mix(tokens.values.to(self.mix.weight.dtype)))
        positions: Tensor = self.get_buffer("positions")[: mixed.shape[1]]
        tokens = Tokens(self.dropout(mixed + positions), tokens.padding)
        for layer in self.layers:
            tokens = layer(tokens)
        embedded: Tensor = self.head(Tokens(self.norm_out(tokens.values), tokens.padding).mean())
        return embedded


def concatenated(descriptors: Sequence[Tokens]) -> Tokens:
    """Descriptors concatenated to [B, T, ΣK], each resampled over its unpadded part to the length of the first."""
    first = descriptors[0]
    length = first.values.shape[1]
    values = torch.cat([aligned(tokens, length, first.padding) for tokens in descriptors], dim=-1)
    return Tokens(values, first.padding)


MECHANISM = Mechanism("third_tower", "branch", ThirdTower)
