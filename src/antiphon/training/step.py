"""One step of training: embed a batch, compute the loss over the arm's pairs, follow its gradient."""

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
    """What the model gave before the step, the terms of its loss, and the norm of the gradient before clipping.

    `memory` gives the loss wrong answers of earlier batches, and remembers this one.
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

    `past` is for the pair of sound and notes; of branches nothing is remembered.
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
            raise ValueError(f"the loss is to match {pair.one} with {pair.other}, but the arm has no branch")
        known = queued if (pair.one, pair.other) == ("audio", "notes") else None
        for name, term in loss.compute(one.float(), other.float(), false_negatives, known).items():
            total[name] = total.get(name, term.new_zeros(())) + pair.weight * term
    return total | {name: penalty.float() for name, penalty in encoded.penalties.items()}
