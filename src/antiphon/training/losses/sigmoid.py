"""Pairwise sigmoid loss: every pair of a batch is a question of its own, whether its two sides belong together.

Source: Zhai, Mustafa, Kolesnikov, Beyer (2023), "Sigmoid Loss for Language Image Pre-Training", eq. 1. There scale and
bias are learned; here they stay at the values that it begins with, since a loss of ours has no parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.training.losses import Loss, QueuedEmbeddings

_SCALE, _BIAS = 10.0, -10.0


def sigmoid(
    audio: Tensor, notes: Tensor, false_negatives: Tensor | None = None, queued: QueuedEmbeddings | None = None
) -> dict[str, Tensor]:
    """−Σ log sigmoid(z · (10 · cosine − 10)) / B over all pairs of [B, D] embeddings, z = 1 for right ones, else −1.

    The terms are `positives`, the B right pairs, and `negatives`, all others but those that `false_negatives` bool
    [B, B] marks. A right pair costs log 2 at best, as cosines end at 1.
    """
    logits = _SCALE * F.normalize(audio, dim=1) @ F.normalize(notes, dim=1).T + _BIAS
    left_out = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    if false_negatives is not None:
        left_out = left_out | false_negatives
    return {
        "positives": -F.logsigmoid(logits.diagonal()).mean(),
        "negatives": -F.logsigmoid(-logits).masked_fill(left_out, 0.0).sum() / len(logits),
    }


LOSS = Loss("sigmoid", sigmoid)
