"""Band energy: mean over time of the log-magnitude in eight octave bands (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View

OCTAVES = ((4, 8), (8, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1025))
"""Bands as STFT bins [first, end): about 47 Hz to 12 kHz at a sample rate of 24 kHz and n_fft 2048."""
NAMES = tuple(f"{round(low * 24_000 / 2048)}_hz" for low, _ in OCTAVES)


def octave_levels(magnitude: Tensor) -> Tensor:
    """Mean of log(1 + magnitude) within each octave: magnitudes [B, 1025, T] → [B, T, 8]."""
    level = torch.log1p(magnitude)
    return torch.stack([level[:, low:high].mean(dim=1) for low, high in OCTAVES], dim=-1)


def band_energy(magnitude: Tensor) -> Tensor:
    """Eight levels per window: magnitudes [B, 1025, T] → [B, 1, 8]; zeros for silence.

    >>> band_energy(torch.zeros(1, 1025, 3)).shape
    torch.Size([1, 1, 8])
    """
    return octave_levels(magnitude).mean(dim=1, keepdim=True)


def _compute(view: View) -> Tokens:
    return Tokens(band_energy(view.magnitude))


DESCRIPTOR = Descriptor("band_energy", "audio", NAMES, _compute)
