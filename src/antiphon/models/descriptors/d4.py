"""D4, local pitch intervals: steps from each note to its neighbours (paper §3)."""

from __future__ import annotations

import torch
from torch import Tensor

from antiphon.models.batch import Tokens
from antiphon.models.descriptors import Descriptor, View


def d4(pitch: Tensor, padding: Tensor) -> Tensor:
    """Per note Δprev/24, Δnext/24, clip(Δprev/12, ±2)/2, clip(Δnext/12, ±2)/2, with Δ in semitones.

    `pitch` int [B, N] in (onset, pitch) order, `padding` bool [B, N] → [B, N, 4]. Zero at the ends and next to padding.

    >>> d4(torch.tensor([[60, 72]]), torch.zeros(1, 2, dtype=torch.bool)).tolist()
    [[[0.0, 0.5, 0.0, 0.5], [0.5, 0.0, 0.5, 0.0]]]
    """
    step = (pitch[:, 1:] - pitch[:, :-1]).float() * ~(padding[:, 1:] | padding[:, :-1])
    edge = step.new_zeros(len(step), 1)
    previous, following = torch.cat([edge, step], dim=1), torch.cat([step, edge], dim=1)
    columns = (
        previous / 24,
        following / 24,
        (previous / 12).clamp(-2, 2) / 2,
        (following / 12).clamp(-2, 2) / 2,
    )
    return torch.stack(columns, dim=-1)


def _compute(view: View) -> Tokens:
    return Tokens(d4(view.notes.pitch, view.notes.padding), view.notes.padding)


DESCRIPTOR = Descriptor("d4", "notes", ("previous", "next", "previous_clipped", "next_clipped"), _compute)
