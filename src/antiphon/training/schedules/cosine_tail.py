"""The cosine of a run of half the length down to 0.10, then a linear tail (paper §5.3)."""

from __future__ import annotations

import math

from antiphon.training.schedules import Schedule
from antiphon.training.schedules.cosine import cosine

_TAIL_START = 0.10
_TAIL_END = 0.02
_COSINE_SHARE = math.acos(2 * _TAIL_START - 1) / math.pi
"""The share of the cosine's descent at which its multiplier is 0.10: 0.795."""


def cosine_tail(step: int, steps: int, warmup: int) -> float:
    """Multiplier at a step: `cosine` over half of the steps until it is 0.10, then linear to 0.02 at the last step.

    The paper's "30-epoch cosine until multiplier 0.10, then linear to 0.02 at epoch 60" is a run of 60 epochs here.

    >>> [round(cosine_tail(step, 1200, 100), 3) for step in (0, 99, 100, 350, 497, 498, 848, 1199)]
    [0.01, 1.0, 1.0, 0.5, 0.101, 0.1, 0.06, 0.02]
    """
    half = max(1, steps // 2)
    warmed = min(warmup, half // 2)
    tail = warmed + _COSINE_SHARE * (half - warmed)
    if step < tail:
        return cosine(step, half, warmup)
    return _TAIL_START + (_TAIL_END - _TAIL_START) * min(1.0, (step - tail) / max(1.0, steps - 1 - tail))


SCHEDULE = Schedule("cosine_tail", cosine_tail)
