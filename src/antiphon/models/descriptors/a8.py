"""A8, onset-weighted chroma: the pitch classes of each frame, weighted by its spectral flux (paper §3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import N_FFT, Descriptor, View
from antiphon.models.descriptors.a7 import share

NAMES = tuple("C C# D D# E F F# G G# A A# B".split())

_LOWEST_HZ = 30.0
_C1_HZ = 32.7
_FLOOR = 1e-12


def pitch_class_energy(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """|X|² summed per pitch class: magnitudes [B, 1025, T] → [B, T, 12]; zeros for silence.

    A bin of frequency f ≥ 30 Hz belongs to pitch class round(12·log2(f / 32.7 Hz)) mod 12, 0 being C.
    """
    lowest, bins = math.ceil(_LOWEST_HZ * N_FFT / sample_rate_hz), magnitude.shape[1]
    octaves = [math.log2(number * sample_rate_hz / N_FFT / _C1_HZ) for number in range(lowest, bins)]
    pitch_class = torch.tensor([round(12 * octave) % 12 for octave in octaves], device=magnitude.device)
    energy = magnitude[:, lowest:].square()
    # Sums instead of a matrix product, which mixed-precision training would round to 8 bits.
    return torch.stack([energy[:, pitch_class == number].sum(dim=1) for number in range(12)], dim=-1)


def spectral_flux(magnitude: Tensor) -> Tensor:
    """Positive differences to the preceding frame, summed over bins: [B, 1025, T] → [B, T]; 0 in the first frame."""
    rise = (magnitude[:, :, 1:] - magnitude[:, :, :-1]).clamp_min_(0.0).sum(dim=1)
    return torch.cat([rise.new_zeros(len(rise), 1), rise], dim=1)


def a8(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """The share of each pitch class times the frame's flux, relative to the largest flux of the window.

    Magnitudes [B, 1025, T] → [B, T, 12] in 0 … 1. A frame sums to its relative flux: 1 at the strongest onset, near 0
    in held tones, 0 in the first frame and in silence. The audio's level has no influence.

    Deviation from the paper, which multiplies first and normalises per frame last: that order divides the flux out
    again wherever it is not zero, and leaves a plain chroma. Here the chroma is normalised per frame before it is
    weighted.

    >>> a8(torch.zeros(1, 1025, 3), 24_000).sum().item()
    0.0
    """
    flux = spectral_flux(magnitude)
    weight = flux / flux.amax(dim=1, keepdim=True).clamp_min(_FLOOR)
    return share(pitch_class_energy(magnitude, sample_rate_hz)) * weight.unsqueeze(-1)


def _compute(view: View) -> Tokens:
    return Tokens(a8(view.magnitude, view.sample_rate_hz))


DESCRIPTOR = Descriptor("a8", "audio", NAMES, _compute)
