"""D2, pitch-ratio histogram in three channels: unweighted, by velocity, by duration (paper §3)."""

from __future__ import annotations

from torch import Tensor

from antiphon.models.batch import NoteBatch, Tokens
from antiphon.models.descriptors import Descriptor, View
from antiphon.models.descriptors.d1 import BINS, bin_names, pairs, pitch_steps, soft_histogram

_CHANNELS = ("unweighted", "velocity", "duration")


def d2(notes: NoteBatch) -> Tensor:
    """D1 with three weightings, concatenated: [B, 1, 384]; each third sums to 1, or is zero with fewer than two notes.

    The first channel is D1. In the second, the weight of a pair is the mean velocity of its two notes, in the third
    their mean duration. A channel with all weights 0 is zero. The paper names the channels only; the mean of the two
    notes is our reading.
    """
    real = pairs(notes.padding)
    weights = (real, real * _means(notes.velocity.float()), real * _means(notes.duration_s))
    return soft_histogram(pitch_steps(notes.pitch) / 12, BINS, *weights).unsqueeze(1)


def _means(values: Tensor) -> Tensor:
    """Means of each note and its successor: [B, N] → [B, N − 1]."""
    return (values[:, 1:] + values[:, :-1]) / 2


def _compute(view: View) -> Tokens:
    return Tokens(d2(view.notes))


DESCRIPTOR = Descriptor(
    "d2", "notes", tuple(name for channel in _CHANNELS for name in bin_names(channel, BINS)), _compute
)
