"""Losses: pure functions of both modalities' embeddings; each module of this package defines one, `LOSS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from antiphon.registry import Registry


@dataclass(frozen=True, eq=False)
class QueuedEmbeddings:
    """Embeddings of M windows of earlier batches, additional negatives for each of B windows.

    `audio` and `notes` [M, D] have no gradient; `false_negatives` bool [B, M] as for the batch itself.
    """

    audio: Tensor
    notes: Tensor
    false_negatives: Tensor


@dataclass(frozen=True)
class Loss:
    """`compute(audio [B, D], notes [B, D], false_negatives, queued)` → its terms by name; training minimises their sum.

    `false_negatives` bool [B, B], or None, marks pairs that a contrastive loss must not use as negatives. `queued`, or
    None, has negatives from earlier batches; only a loss with `uses_queue` gets any.
    """

    name: str
    compute: Callable[[Tensor, Tensor, Tensor | None, QueuedEmbeddings | None], dict[str, Tensor]]
    uses_queue: bool = False


LOSSES = Registry("loss", Loss, "antiphon.training.losses", "LOSS", "antiphon.losses")


def register_loss(loss: Loss, *, replace: bool = False) -> Loss:
    """Add a loss for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.losses`. `replace` permits a name that an earlier call registered.

    Raises `AntiphonError` for a name that is taken.
    """
    return LOSSES.register(loss, replace=replace)
