"""Third tower: the descriptors alone, through a small transformer, into the common space (paper §4).

Which pairs of embeddings the loss then pulls together is the arm's choice.
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
    """[first ‖ others, brought to its length] → Linear → LayerNorm → sinusoidal positions → pre-norm layers →
    LayerNorm → mean → Linear, BatchNorm, ReLU, Linear.

    Its width is half the note tower's (`shape`), 256 in the paper, with a feed-forward block of four times that.
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
        """[B, embedding]."""
        tokens = side_by_side(descriptors)
        mixed = self.norm_mix(self.mix(tokens.values.to(self.mix.weight.dtype)))
        positions: Tensor = self.get_buffer("positions")[: mixed.shape[1]]
        tokens = Tokens(self.dropout(mixed + positions), tokens.padding)
        for layer in self.layers:
            tokens = layer(tokens)
        embedded: Tensor = self.head(Tokens(self.norm_out(tokens.values), tokens.padding).mean())
        return embedded


def side_by_side(descriptors: Sequence[Tokens]) -> Tokens:
    """Descriptors concatenated [B, T, ΣK] at the length of the first, each interpolated over its unpadded stretch."""
    first = descriptors[0]
    length = first.values.shape[1]
    values = torch.cat([aligned(tokens, length, first.padding) for tokens in descriptors], dim=-1)
    return Tokens(values, first.padding)


MECHANISM = Mechanism("third_tower", "branch", ThirdTower)
