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
    group `antiphon.losses`.

    Parameters
    ----------
    loss
        Its name, and a function of the embeddings float32 [B, D] of audio and notes, of the false negatives, and of the
        queued embeddings, that returns scalar terms by name.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Loss
        The entry that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    TypeError
        For an entry of another class.

    Examples
    --------
    >>> import torch
    >>> import antiphon
    >>> from antiphon.training.losses import Loss
    >>> def distance(audio, notes, false_negatives, queued):
    ...     return {"distance": (audio - notes).square().mean()}
    >>> loss = antiphon.register_loss(Loss("distance", distance))
    >>> {"name": "distance"} in antiphon.catalogue("losses")
    True
    >>> loss.compute(torch.zeros(4, 8), torch.ones(4, 8), None, None)
    {'distance': tensor(1.)}
    """
    return LOSSES.register(loss, replace=replace)
