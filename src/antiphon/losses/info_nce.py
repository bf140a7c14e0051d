"""InfoNCE: each window must tell its own other side from all others of the batch, both ways round.

Source: van den Oord et al. (2018); symmetric as in Radford et al. (2021).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.losses import Loss

_TEMPERATURE = 0.05


def info_nce(audio: Tensor, notes: Tensor, not_wrong: Tensor | None = None) -> dict[str, Tensor]:
    """Mean of the two directions' cross-entropies over cosines / 0.05 of [B, D] embeddings.

    `not_wrong` bool [B, B] marks pairs that are no wrong answers, such as overlapping windows: they are left out of
    the sums; the diagonal always counts as right.
    """
    cosine = F.normalize(audio, dim=1) @ F.normalize(notes, dim=1).T / _TEMPERATURE
    if not_wrong is not None:
        others = ~torch.eye(len(cosine), dtype=torch.bool, device=cosine.device)
        cosine = cosine.masked_fill(not_wrong & others, float("-inf"))
    right = torch.arange(len(cosine), device=cosine.device)
    return {
        "audio_to_notes": 0.5 * F.cross_entropy(cosine, right),
        "notes_to_audio": 0.5 * F.cross_entropy(cosine.T, right),
    }


LOSS = Loss("info_nce", info_nce)
