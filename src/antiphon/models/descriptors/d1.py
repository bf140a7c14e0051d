"""D1, pitch-ratio histogram: the frequency ratios of successive notes (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.a7 import share

BINS = 128
OCTAVES = 2.0
"""Range of ratio histograms: 1/4 to 4, two octaves (for durations, two doublings) in either direction."""


def bin_centres(bins: int) -> list[float]:
    """Centres of equal bins over −2 … 2 octaves."""
    return [((number + 0.5) / bins * 2 - 1) * OCTAVES for number in range(bins)]


def bin_names(prefix: str, bins: int) -> tuple[str, ...]:
    """Names of the bins by the ratio at their centre.

    >>> bin_names("ratio", 64)[31:33]
    ('ratio_0.979', 'ratio_1.022')
    """
    return tuple(f"{prefix}_{2**centre:.3f}" for centre in bin_centres(bins))


def soft_histogram(octaves: Tensor, bins: int, *weights: Tensor) -> Tensor:
    """One histogram per weighting, concatenated: [B, len(weights)·bins], each summing to 1 or all zeros.

    `octaves` [B, P] are log2 of ratios, clamped to ±2. Each adds its weight, at least 0, of `weights` [B, P] to all
    bins in the shape of a Gaussian with σ of one bin. Only half of it is inside the histogram for a clamped ratio.
    """
    width = 2 * OCTAVES / bins
    distance = octaves.clamp(-OCTAVES, OCTAVES).unsqueeze(-1) - octaves.new_tensor(bin_centres(bins))
    # [B, P, bins]; clamped because subnormal numbers slow a CPU down many times
    kernel = distance.div_(width).square_().mul_(-0.5).clamp_min_(-40.0).exp_()
    return torch.cat([share((kernel * weight.unsqueeze(-1)).sum(dim=1)) for weight in weights], dim=-1)


def pairs(padding: Tensor) -> Tensor:
    """1.0 where neither a note nor its successor is padding: bool [B, N] → float32 [B, N − 1]."""
    return (~(padding[:, 1:] | padding[:, :-1])).float()


def pitch_steps(pitch: Tensor) -> Tensor:
    """Steps between successive notes in semitones: int [B, N] → float32 [B, N − 1]."""
    return (pitch[:, 1:] - pitch[:, :-1]).float()


def d1(pitch: Tensor, padding: Tensor) -> Tensor:
    """Histogram of the frequency ratios 2^(Δ/12) of successive notes: 128 bins, evenly spaced in log2 from 1/4 to 4.

    `pitch` int [B, N] in (onset, pitch) order, `padding` bool [B, N] → [B, 1, 128], summing to 1; zeros with fewer
    than two notes. Invariant under transposition. The paper gives the name and the number of bins only. The order of
    the notes, the logarithmic axis, its range (wider intervals are clamped) and σ (one bin) are our reading.

    >>> fifth_up = d1(torch.tensor([[60, 67]]), torch.zeros(1, 2, dtype=torch.bool))[0, 0]
    >>> bin_names("ratio", BINS)[int(fifth_up.argmax())], round(fifth_up.sum().item(), 4)
    ('ratio_1.493', 1.0)
    """
    return soft_histogram(pitch_steps(pitch) / 12, BINS, pairs(padding)).unsqueeze(1)


def _compute(view: View) -> Tokens:
    return Tokens(d1(view.notes.pitch, view.notes.padding))


DESCRIPTOR = Descriptor("d1", "notes", bin_names("ratio", BINS), _compute)
