"""A9, rational attractors weighted by their rarity in the window, as in TF-IDF (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.a7 import NAMES, attractor_activation, share

_ACTIVE = 0.05
_DF_FLOOR = 1e-3
_LARGEST_IDF = 5.0


def inverse_frame_frequency(activation: Tensor) -> Tensor:
    """log(1 / (df + 0.001)) clipped to 0 … 5, of activations [B, T, 12] → [B, 1, 12].

    df is the share of the window's frames with an activation above 0.05: 0 for an attractor that is active in every
    frame, 0.69 in half of the frames, 5 in none.

    >>> round(inverse_frame_frequency(torch.tensor([[[1.0], [0.0]]])).item(), 2)
    0.69
    """
    frequency = (activation > _ACTIVE).float().mean(dim=1, keepdim=True)
    return torch.log(frequency + _DF_FLOOR).neg_().clamp_(0.0, _LARGEST_IDF)


def a9(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """A7's activation before normalisation, times the rarity of each attractor in the window, then normalised.

    Magnitudes [B, 1025, T] → [B, T, 12]; each frame sums to 1, or is zero without energy. In a frame dominated by
    suppressed attractors, the small values of the others are scaled up to sum 1.

    The threshold of 0.05 is an STFT magnitude, so unlike A7 this depends on the level: the louder a window, the more
    attractors are active in all its frames. Where all are, the descriptor is zero. In piano recordings mostly 1/1 and
    16/15 are suppressed, the intervals between neighbouring bins of one peak.
    """
    activation = attractor_activation(magnitude, sample_rate_hz)
    return share(activation * inverse_frame_frequency(activation))


def _compute(view: View) -> Tokens:
    return Tokens(a9(view.magnitude, view.sample_rate_hz))


DESCRIPTOR = Descriptor("a9", "audio", NAMES, _compute)
