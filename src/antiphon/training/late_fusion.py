"""The last step of training an arm with late fusion: fit its projection in closed form."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from antiphon.models.batch import Batch
from antiphon.models.late_fusion import PairScatter
from antiphon.models.network import DualEncoder
from antiphon.types import MODALITIES

_RIDGE = 1.0


@torch.no_grad()
def fit_late_fusion(model: DualEncoder, batches: Iterable[Batch]) -> None:
    """Fit the projection of a model with trained towers, from batches on the model's device.

    Raises `ValueError` for an arm without late fusion.
    """
    late_fusion = model.late_fusion
    if late_fusion is None:
        raise ValueError(f"arm {model.config.arm.name} has no late fusion")
    model.eval()
    scatter = PairScatter()
    for batch in batches:
        descriptors = model.describe(batch)
        audio, notes = (
            late_fusion.inputs(
                model.encode_without_fusion(side, batch, descriptors)[0], model.descriptor_to_fuse(side, descriptors)
            )
            for side in MODALITIES
        )
        scatter.add(audio, notes)
    late_fusion.map.copy_(scatter.projection(model.dimensions, _RIDGE))
