"""A9, rational attractors weighted by their rarity: what always sounds says little about a moment (paper §3)."""

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
    """log(1 / (df + 0.001)) clipped to 0 … 5 of activations [B, T, 12] → [B, 1, 12].

    df is the share of the window's frames whose activation exceeds 0.05: an attractor of every frame gets 0, one of
    half the frames 0.69, one of no frame 5.
    """
    frequency = (activation > _ACTIVE).float().mean(dim=1, keepdim=True)
    return torch.log(frequency + _DF_FLOOR).neg_().clamp_(0.0, _LARGEST_IDF)


def a9(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """A7's activation before normalisation, times the rarity of each attractor in the window, then normalised.

    Magnitudes [B, 1025, T] → [B, T, 12], each frame summing to 1, or zeros where it has no energy. A frame in which
    little but suppressed attractors sounds has what is left of the others scaled up to 1.

    The limit of 0.05 is one of STFT magnitude, so unlike A7 this depends on the level: the louder a window, the more
    attractors are active in all its frames, and where all are, the whole descriptor is zero. In piano recordings it is
    mostly 1/1 and 16/15 that are suppressed, which neighbouring bins of one peak form.
    """
    activation = attractor_activation(magnitude, sample_rate_hz)
    return share(activation * inverse_frame_frequency(activation))


def _compute(view: View) -> Tokens:
    return Tokens(a9(view.magnitude, view.sample_rate_hz))


DESCRIPTOR = Descriptor("a9", "audio", NAMES, _compute)
