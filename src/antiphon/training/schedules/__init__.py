"""Learning-rate schedules: pure functions of the step; one file each, defining `SCHEDULE`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from antiphon.registry import Registry


@dataclass(frozen=True)
class Schedule:
    """`multiplier(step, steps, warmup)` scales every group's learning rate at a step of 0 … steps − 1."""

    name: str
    multiplier: Callable[[int, int, int], float]


SCHEDULES: Registry[Schedule] = Registry("schedule", "antiphon.training.schedules", "SCHEDULE")
