"""Linear warm-up, a constant peak until half of the run, then half a cosine down to zero (paper §5.3)."""

from __future__ import annotations

import math

from antiphon.training.schedules import Schedule

_HELD = 0.5


def trapezoid(step: int, steps: int, warmup: int) -> float:
    """Multiplier at a step: 1 from the end of warm-up until half of the steps, 0 at the end.

    Warm-up is part of the first half and is limited to it.

    >>> [round(trapezoid(step, 1000, 100), 3) for step in (0, 99, 500, 750, 875, 1000)]
    [0.01, 1.0, 1.0, 0.5, 0.146, 0.0]
    """
    held = int(_HELD * steps)
    warmup = min(warmup, held)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, max(0.0, (step - held) / max(1, steps - held)))))


SCHEDULE = Schedule("trapezoid", trapezoid)
