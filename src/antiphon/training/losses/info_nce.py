"""InfoNCE: each window must tell its own other side from all others of the batch, both ways round.

Source: van den Oord et al. (2018); symmetric as in Radford et al. (2021). Wrong answers of earlier batches: Wang et al.
(2020), "Cross-Batch Memory for Embedding Learning".
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.training.losses import Loss, Past

_TEMPERATURE = 0.03


def info_nce(
    audio: Tensor, notes: Tensor, not_wrong: Tensor | None = None, past: Past | None = None
) -> dict[str, Tensor]:
    """Mean of the two directions' cross-entropies over cosines / 0.03 of [B, D] embeddings.

    `not_wrong` bool [B, B] marks pairs that are no wrong answers, such as overlapping windows: they are left out of
    the sums; the diagonal always counts as right. The notes of `past` are wrong answers to the batch's sound, its sound
    to the batch's notes.
    """
    audio, notes = F.normalize(audio, dim=1), F.normalize(notes, dim=1)
    cosine = audio @ notes.T
    if not_wrong is not None:
        others = ~torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
        cosine = cosine.masked_fill(not_wrong & others, float("-inf"))
    to_notes, to_audio = cosine, cosine.T
    if past is not None:
        to_notes = torch.cat([to_notes, _wrong(audio, past.notes, past.not_wrong)], dim=1)
        to_audio = torch.cat([to_audio, _wrong(notes, past.audio, past.not_wrong)], dim=1)
    right = torch.arange(len(cosine), device=cosine.device)
    return {
        "audio_to_notes": 0.5 * F.cross_entropy(to_notes / _TEMPERATURE, right),
        "notes_to_audio": 0.5 * F.cross_entropy(to_audio / _TEMPERATURE, right),
    }


def _wrong(asking: Tensor, past: Tensor, not_wrong: Tensor) -> Tensor:
    return (asking @ F.normalize(past, dim=1).T).masked_fill(not_wrong, float("-inf"))


LOSS = Loss("info_nce", info_nce, remembers=True)
