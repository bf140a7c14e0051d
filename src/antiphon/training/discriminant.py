"""The last step of training an arm with descriptors beside its embeddings: the map of both, in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from antiphon.batch import Batch
from antiphon.discriminant import PairScatter
from antiphon.model import SIDES, DualEncoder

_RIDGE = 1.0


@torch.no_grad()
def fit_discriminant(model: DualEncoder, batches: Iterable[Batch]) -> None:
    """Set the map of a model whose towers are trained, from batches on its device, augmented as it was trained."""
    scatter = count_pairs(model, batches)
    assert model.discriminant is not None
    model.discriminant.map.copy_(scatter.discriminant(model.dimensions, _RIDGE))


@torch.no_grad()
def count_pairs(model: DualEncoder, batches: Iterable[Batch]) -> PairScatter:
    """How what would be mapped varies over both sides of the batches' windows."""
    beside, discriminant = model.config.arm.beside, model.discriminant
    assert beside is not None and discriminant is not None
    model.eval()
    scatter = PairScatter()
    for batch in batches:
        found = model.describe(batch)
        embedded = {side: model.encode_alone(side, batch, found)[0] for side in SIDES}
        scatter.add(
            discriminant.inputs(embedded["audio"], found[beside.audio]),
            discriminant.inputs(embedded["notes"], found[beside.notes]),
        )
    return scatter
