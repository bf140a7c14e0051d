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


SCHEDULES = Registry("schedule", Schedule, "antiphon.training.schedules", "SCHEDULE", "antiphon.schedules")


def register_schedule(schedule: Schedule, *, replace: bool = False) -> Schedule:
    """Add a learning-rate schedule for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.schedules`. `replace` permits a name that an earlier call registered.

    Raises `AntiphonError` for a name that is taken.
    """
    return SCHEDULES.register(schedule, replace=replace)
