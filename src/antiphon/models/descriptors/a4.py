"""A4, octave-band energy dynamics: frame-to-frame changes of the level of eight octaves (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.band_energy import NAMES, octave_levels

_STD_FLOOR = 1e-8


def a4(magnitude: Tensor) -> Tensor:
    """First difference in time of the octave levels, z-scored per band over the window.

    Magnitudes [B, 1025, T] → float32 [B, T, 8]. The first frame's difference is 0 before scaling; the standard
    deviation is that of the population (divisor T) and at least 1e-8. Silence gives zeros.

    >>> a4(torch.zeros(1, 1025, 3)).shape
    torch.Size([1, 3, 8])
    """
    level = octave_levels(magnitude)
    change = torch.zeros_like(level)
    change[:, 1:] = level[:, 1:] - level[:, :-1]
    spread = change.std(dim=1, keepdim=True, correction=0).clamp_min(_STD_FLOOR)
    return (change - change.mean(dim=1, keepdim=True)) / spread


def _compute(view: View) -> Tokens:
    return Tokens(a4(view.magnitude))


DESCRIPTOR = Descriptor("a4", "audio", NAMES, _compute)
