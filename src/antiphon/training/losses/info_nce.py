"""InfoNCE: each window must tell its own other side from all others of the batch, both ways round.

Source: van den Oord et al. (2018); symmetric as in Radford et al. (2021). Wrong answers of earlier batches: Wang et al.
(2020), "Cross-Batch Memory for Embedding Learning".
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
    """Mean of the two directions' cross-entropies over cosines / 0.03 of [B, D] embeddings.

    `false_negatives` bool [B, B] marks pairs that are no wrong answers, such as overlapping windows: they are left
    out of the sums; the diagonal always counts as right. The notes of `past` are wrong answers to the batch's sound,
    its sound to the batch's notes.
    """
    audio, notes = F.normalize(audio, dim=1), F.normalize(notes, dim=1)
    cosine = audio @ notes.T
    if false_negatives is not None:
        others = ~torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
        cosine = cosine.masked_fill(false_negatives & others, float("-inf"))
    to_notes, to_audio = cosine, cosine.T
    if queued is not None:
        to_notes = torch.cat([to_notes, _wrong(audio, queued.notes, queued.false_negatives)], dim=1)
        to_audio = torch.cat([to_audio, _wrong(notes, queued.audio, queued.false_negatives)], dim=1)
    right = torch.arange(len(cosine), device=cosine.device)
    return {
        "audio_to_notes": 0.5 * F.cross_entropy(to_notes / _TEMPERATURE, right),
        "notes_to_audio": 0.5 * F.cross_entropy(to_audio / _TEMPERATURE, right),
    }


def _wrong(asking: Tensor, queued: Tensor, false_negatives: Tensor) -> Tensor:
    return (asking @ F.normalize(queued, dim=1).T).masked_fill(false_negatives, float("-inf"))


LOSS = Loss("info_nce", info_nce, remembers=True)
