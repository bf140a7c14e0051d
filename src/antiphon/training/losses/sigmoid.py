"""Pairwise sigmoid loss: a binary classification of every pair of a batch as positive or negative.

Source: Zhai, Mustafa, Kolesnikov, Beyer (2023), "Sigmoid Loss for Language Image Pre-Training", eq. 1. Scale and bias
are learned there; here they keep the initial values, since losses have no parameters.
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
    """−Σ log sigmoid(z · (10 · cosine − 10)) / B over all pairs of [B, D] embeddings, z = 1 for positives, else −1.

    The terms are `positives`, the B pairs of the diagonal, and `negatives`, all other pairs except those that
    `false_negatives` bool [B, B] marks. The least cost of a positive is log 2, at cosine 1. `queued` is not used.

    >>> round(sigmoid(torch.eye(2), torch.eye(2))["positives"].item(), 4)
    0.6931
    """
    logits = _SCALE * F.normalize(audio, dim=1) @ F.normalize(notes, dim=1).T + _BIAS
    excluded = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    if false_negatives is not None:
        excluded = excluded | false_negatives
    return {
        "positives": -F.logsigmoid(logits.diagonal()).mean(),
        "negatives": -F.logsigmoid(-logits).masked_fill(excluded, 0.0).sum() / len(logits),
    }


LOSS = Loss("sigmoid", sigmoid)
