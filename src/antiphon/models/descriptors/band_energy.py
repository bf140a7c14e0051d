"""Band energy: mean over time of the log-magnitude in eight octave bands (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View

OCTAVES = ((4, 8), (8, 16), (16, 32), (32, 64), (64, 128), (128, 256), (256, 512), (512, 1025))
"""Bands as STFT bins [first, last): about 47 Hz to 12 kHz at 24 kHz and n_fft 2048."""
NAMES = tuple(f"{round(low * 24_000 / 2048)}_hz" for low, _ in OCTAVES)


def octave_levels(magnitude: Tensor) -> Tensor:
    """Mean of log1p of the magnitudes [B, 1025, T] within each octave: [B, T, 8]."""
    level = torch.log1p(magnitude)
    return torch.stack([level[:, low:high].mean(dim=1) for low, high in OCTAVES], dim=-1)


def band_energy(magnitude: Tensor) -> Tensor:
    """Eight levels per window [B, 1, 8] from magnitudes [B, 1025, T]; zeros for silence."""
    return octave_levels(magnitude).mean(dim=1, keepdim=True)


def _compute(view: View) -> Tokens:
    return Tokens(band_energy(view.magnitude))


DESCRIPTOR = Descriptor("band_energy", "audio", NAMES, _compute)
