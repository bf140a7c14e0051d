"""A7, rational attractors: the just intervals between the strongest partials of a frame (paper §3)."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import N_FFT, Descriptor, View

RATIOS = tuple(Fraction(text) for text in "1/1 16/15 9/8 6/5 5/4 4/3 7/5 3/2 8/5 5/3 7/4 15/8".split())
"""Just intervals within one octave, as frequency ratios."""
NAMES = tuple(f"{ratio.numerator}/{ratio.denominator}" for ratio in RATIOS)

_LOWEST_HZ = 50.0
_PEAKS = 8
_SIGMA_OCTAVES = 0.02
_FLOOR = 1e-12  # a frame with a smaller sum counts as silent
_ROWS_AT_ONCE = 4


def attractor_activation(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """The activation of each ratio by the partials of each frame: magnitudes [B, 1025, T] → [B, T, 12], at least 0.

    The eight strongest bins with a centre of 50 Hz or more form 28 pairs. A pair's interval, higher over lower
    frequency, is folded into one octave. It adds exp(−d² / 2·0.02²) to each ratio, d being the circular distance in
    octaves, times the geometric mean of its two magnitudes. The paper does not define the order of the division; higher
    over lower gives the same interval whichever tone is louder.

    As in the paper, neighbouring bins of one broad peak form pairs too, with a ratio near 1/1. The result grows with
    the audio's level; silence gives zeros.
    """
    # There is one value per ratio and pair: a few rows of them fit into a CPU's cache.
    rows = _ROWS_AT_ONCE if magnitude.device.type == "cpu" else max(1, len(magnitude))
    parts = [magnitude[begin : begin + rows] for begin in range(0, len(magnitude), rows)]
    return torch.cat([_activation(part, sample_rate_hz) for part in parts])


def _activation(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    lowest = math.ceil(_LOWEST_HZ * N_FFT / sample_rate_hz)
    strength, peak = magnitude[:, lowest:].topk(_PEAKS, dim=1, sorted=False)  # [B, 8, T]
    octave, root = torch.log2((peak + lowest).float()), strength.sqrt()
    first, second = torch.tensor(list(combinations(range(_PEAKS), 2)), device=magnitude.device).T
    interval = (octave[:, first] - octave[:, second]).abs_().unsqueeze(1)  # [B, 1, 28, T]
    weight = (root[:, first] * root[:, second]).unsqueeze(1)
    target = torch.tensor([math.log2(ratio) for ratio in RATIOS], device=magnitude.device)
    distance = interval - target[:, None, None]  # [B, 12, 28, T]
    distance -= distance.round()  # to the nearest octave: folds the interval and makes the distance circular
    # Subnormal numbers slow a CPU down many times, and exp(−40) is negligible in float32.
    score = distance.square_().mul_(-0.5 / _SIGMA_OCTAVES**2).clamp_min_(-40.0).exp_().mul_(weight)
    return score.sum(dim=2).transpose(1, 2)


def share(activation: Tensor) -> Tensor:
    """Values of at least 0, scaled to sum 1 over the last dimension; zeros where all are zero."""
    return activation / activation.sum(dim=-1, keepdim=True).clamp_min(_FLOOR)


def a7(magnitude: Tensor, sample_rate_hz: int) -> Tensor:
    """The share of each just interval among the partials of each frame: magnitudes [B, 1025, T] → [B, T, 12].

    `attractor_activation` scaled to sum 1 per frame, so the audio's level has no influence. A frame without energy
    gives zeros.

    >>> import torch
    >>> spectrum = torch.zeros(1, 1025, 1)
    >>> spectrum[0, 100] = spectrum[0, 150] = 1.0
    >>> NAMES[int(a7(spectrum, 24_000).argmax())]
    '3/2'
    """
    return share(attractor_activation(magnitude, sample_rate_hz))


def _compute(view: View) -> Tokens:
    return Tokens(a7(view.magnitude, view.sample_rate_hz))


DESCRIPTOR = Descriptor("a7", "audio", NAMES, _compute)
