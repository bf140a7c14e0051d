"""One training step: embed a batch, compute the loss over the arm's pairs, update the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from antiphon.models.arms import Pair
from antiphon.models.batch import Batch
from antiphon.models.network import DualEncoder, Encoded
from antiphon.training.embedding_queue import EmbeddingQueue
from antiphon.training.losses import Loss, QueuedEmbeddings


def training_step(
    model: DualEncoder,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    loss: Loss,
    clip_norm: float,
    queue: EmbeddingQueue | None = None,
) -> tuple[Encoded, dict[str, Tensor], Tensor]:
    """Update the model. Returns embeddings before the update, loss terms, and the gradient norm before clipping.

    `queue` provides negatives from earlier batches to the loss, and the batch is added to it.
    """
    with torch.autocast(batch.audio.device.type, torch.bfloat16, enabled=batch.audio.is_cuda):
        encoded: Encoded = model(batch)
    queued = None if queue is None or batch.work is None else queue.queued(batch.work)
    terms = objective(encoded, model.config.arm.pairs, loss, batch.false_negatives, queued)
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimiser.step()
    if queue is not None and batch.work is not None:
        queue.add(encoded.audio, encoded.notes, batch.work)
    return encoded, terms, norm


def objective(
    encoded: Encoded,
    pairs: Sequence[Pair],
    loss: Loss,
    false_negatives: Tensor | None = None,
    queued: QueuedEmbeddings | None = None,
) -> dict[str, Tensor]:
    """The loss's terms, each summed over the pairs with their weights, and the model's penalties.

    `queued` applies to the pair of audio and notes only; the queue has no branches. Raises `ValueError` for a pair with
    a branch that `encoded` lacks.
    """
    embeddings: Mapping[str, Tensor | None] = {
        "audio": encoded.audio,
        "notes": encoded.notes,
        "branch": encoded.branch,
    }
    total: dict[str, Tensor] = {}
    for pair in pairs:
        one, other = embeddings[pair.one], embeddings[pair.other]
        if one is None or other is None:
            raise ValueError(f"the loss matches {pair.one} with {pair.other}, but the arm has no branch")
        past = queued if (pair.one, pair.other) == ("audio", "notes") else None
        for name, term in loss.compute(one.float(), other.float(), false_negatives, past).items():
            total[name] = total.get(name, term.new_zeros(())) + pair.weight * term
    return total | {name: penalty.float() for name, penalty in encoded.penalties.items()}
