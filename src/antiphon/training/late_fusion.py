"""The last step of training an arm with descriptors beside its embeddings: the map of both, in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from antiphon.models.batch import Batch
from antiphon.models.late_fusion import PairScatter
from antiphon.models.network import SIDES, DualEncoder

_RIDGE = 1.0


@torch.no_grad()
def fit_discriminant(model: DualEncoder, batches: Iterable[Batch]) -> None:
    """Set the map of a model whose towers are trained, from batches on its device.

    Raises `ValueError` for an arm that has nothing beside its embeddings.
    """
    discriminant = model.discriminant
    if discriminant is None:
        raise ValueError(f"arm {model.config.arm.name} has nothing beside its embeddings")
    model.eval()
    scatter = PairScatter()
    for batch in batches:
        found = model.describe(batch)
        audio, notes = (
            discriminant.inputs(model.encode_alone(side, batch, found)[0], model.beside(side, found)) for side in SIDES
        )
        scatter.add(audio, notes)
    discriminant.map.copy_(scatter.discriminant(model.dimensions, _RIDGE))
