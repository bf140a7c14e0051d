"""Learning-rate schedules: pure functions of the step; a module of this package that defines `SCHEDULE` is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.registry import Registry


@dataclass(frozen=True)
class Schedule:
    """`multiplier(step, steps, warmup)`, from 0 to 1, scales all learning rates at a step of 0 … steps − 1."""

    name: str
    multiplier: Callable[[int, int, int], float]


SCHEDULES: Registry[Schedule] = Registry("schedule", "antiphon.training.schedules", "SCHEDULE")
