"""VICReg: match pairs, keep the variance of every dimension, decorrelate dimensions (paper §2).

Source: Bardes, Ponce, LeCun (2022). The weights are the paper's, 10, 10, 1. Both modalities' variance and covariance
terms are added; the original halves the variance term.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from antiphon.training.losses import Loss, QueuedEmbeddings

_INVARIANCE, _VARIANCE, _COVARIANCE = 10.0, 10.0, 1.0
_EPSILON = 1e-4


def vicreg(
    audio: Tensor, notes: Tensor, false_negatives: Tensor | None = None, queued: QueuedEmbeddings | None = None
) -> dict[str, Tensor]:
    """Weighted terms `invariance`, `variance`, `covariance` of float32 [B, D] embeddings (B ≥ 2).

    invariance = 10·MSE; variance = 10·Σ_sides mean_d max(0, 1 − sqrt(var_d + 1e-4)); covariance = Σ_sides (sum of
    squared off-diagonal covariances)/D. Variances are unbiased. The loss has no negatives, so `false_negatives` and
    `queued` are not used.

    >>> vicreg(torch.eye(2), torch.eye(2))["invariance"].item()
    0.0
    """
    sides = (audio, notes)
    return {
        "invariance": _INVARIANCE * F.mse_loss(audio, notes),
        "variance": _VARIANCE * torch.stack([_variance_hinge(side) for side in sides]).sum(),
        "covariance": _COVARIANCE * torch.stack([_off_diagonal(side) for side in sides]).sum(),
    }


def _variance_hinge(embeddings: Tensor) -> Tensor:
    return F.relu(1.0 - torch.sqrt(embeddings.var(dim=0) + _EPSILON)).mean()


def _off_diagonal(embeddings: Tensor) -> Tensor:
    rows, width = embeddings.shape
    centred = embeddings - embeddings.mean(dim=0)
    covariance = centred.T @ centred / (rows - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / width


LOSS = Loss("vicreg", vicreg)
