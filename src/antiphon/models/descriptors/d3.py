"""D3, rhythm histogram: ratios of successive inter-onset intervals and durations, and pitch steps (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import NoteBatch, Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.a7 import share
from antiphon.models.descriptors.d1 import bin_names, pairs, pitch_steps, soft_histogram

_RATIO_BINS = 64
_WIDEST_STEP = 12
_SHORTEST_S = 1e-3


def d3(notes: NoteBatch) -> Tensor:
    """Three histograms, concatenated, each summing to 1 or all zeros: [B, 1, 64 + 64 + 25].

    1. Ratios of successive inter-onset intervals, later over earlier (three notes make one ratio): 64 bins, evenly
       spaced in log2 from 1/4 to 4, smoothed by a Gaussian with σ of one bin, ratios beyond the range clamped.
    2. Ratios of successive durations, later over earlier (two notes make one ratio), in the same bins.
    3. Steps between successive notes in semitones: 25 bins without smoothing from −12 to 12, wider steps clamped.

    Notes are in (onset, pitch) order. Intervals and durations below 1 ms count as 1 ms. So the intervals of a chord,
    which are 0, give finite ratios: clamped ones before and after it, 1 inside. Invariant under tempo, except where
    that limit applies. Zeros for too few notes. The paper gives bins and range; the logarithmic axis, σ and the
    clamping are our reading.
    """
    real = pairs(notes.padding)
    interval = _octaves(notes.onset_s[:, 1:] - notes.onset_s[:, :-1])
    duration = _octaves(notes.duration_s)
    parts = (
        soft_histogram(interval[:, 1:] - interval[:, :-1], _RATIO_BINS, real[:, 1:] * real[:, :-1]),
        soft_histogram(duration[:, 1:] - duration[:, :-1], _RATIO_BINS, real),
        _step_histogram(pitch_steps(notes.pitch), real),
    )
    return torch.cat(parts, dim=-1).unsqueeze(1)


def _octaves(seconds: Tensor) -> Tensor:
    return torch.log2(seconds.clamp_min(_SHORTEST_S))


def _step_histogram(step: Tensor, weight: Tensor) -> Tensor:
    """The share of each step in −12 … 12 semitones: [B, P] → [B, 25]."""
    steps = torch.arange(-_WIDEST_STEP, _WIDEST_STEP + 1, device=step.device)
    hit = step.clamp(-_WIDEST_STEP, _WIDEST_STEP).unsqueeze(-1) == steps  # [B, P, 25]
    return share((hit * weight.unsqueeze(-1)).sum(dim=1))


def _compute(view: View) -> Tokens:
    return Tokens(d3(view.notes))


DESCRIPTOR = Descriptor(
    "d3",
    "notes",
    (
        *bin_names("onset_ratio", _RATIO_BINS),
        *bin_names("duration_ratio", _RATIO_BINS),
        *(f"step_{step:+d}" for step in range(-_WIDEST_STEP, _WIDEST_STEP + 1)),
    ),
    _compute,
)
