"""InfoNCE: cross-entropy of the positive among all windows of the batch and of the queue, in both directions.

Source: van den Oord et al. (2018), "Representation Learning with Contrastive Predictive Coding"; symmetric as in
Radford et al. (2021). Negatives of earlier batches: Wang et al. (2020), "Cross-Batch Memory for Embedding Learning".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.training.losses import Loss, QueuedEmbeddings

_TEMPERATURE = 0.03


def info_nce(
    audio: Tensor, notes: Tensor, false_negatives: Tensor | None = None, queued: QueuedEmbeddings | None = None
) -> dict[str, Tensor]:
    """Half of each direction's cross-entropy over cosines / 0.03 of [B, D] embeddings: two scalar terms.

    `false_negatives` bool [B, B] marks pairs, such as overlapping windows, that the sums exclude; the diagonal always
    counts as positive. Notes of `queued` are negatives of the batch's audio, its audio of the batch's notes.

    >>> terms = info_nce(torch.eye(2), torch.eye(2))
    >>> sorted(terms), bool(sum(terms.values()) < 1e-6)
    (['audio_to_notes', 'notes_to_audio'], True)
    """
    audio, notes = F.normalize(audio, dim=1), F.normalize(notes, dim=1)
    cosine = audio @ notes.T
    if false_negatives is not None:
        off_diagonal = ~torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
        cosine = cosine.masked_fill(false_negatives & off_diagonal, float("-inf"))
    to_notes, to_audio = cosine, cosine.T
    if queued is not None:
        to_notes = torch.cat([to_notes, _queued_cosines(audio, queued.notes, queued.false_negatives)], dim=1)
        to_audio = torch.cat([to_audio, _queued_cosines(notes, queued.audio, queued.false_negatives)], dim=1)
    positive = torch.arange(len(cosine), device=cosine.device)
    return {
        "audio_to_notes": 0.5 * F.cross_entropy(to_notes / _TEMPERATURE, positive),
        "notes_to_audio": 0.5 * F.cross_entropy(to_audio / _TEMPERATURE, positive),
    }


def _queued_cosines(queries: Tensor, queued: Tensor, false_negatives: Tensor) -> Tensor:
    return (queries @ F.normalize(queued, dim=1).T).masked_fill(false_negatives, float("-inf"))


LOSS = Loss("info_nce", info_nce, uses_queue=True)
