"""Linear warm-up, then half a cosine down to zero (paper §2)."""

from __future__ import annotations

import math

from antiphon.training.schedules import Schedule


def cosine(step: int, steps: int, warmup: int) -> float:
    """Multiplier at a step: linear warm-up to 1 over `warmup` steps, then half a cosine down to 0 at `steps`.

    >>> [round(cosine(step, 1200, 200), 3) for step in (0, 199, 200, 700, 1200)]
    [0.005, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = min(warmup, steps // 2)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


SCHEDULE = Schedule("cosine", cosine)
