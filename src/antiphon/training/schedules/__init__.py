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
    group `antiphon.schedules`.

    Parameters
    ----------
    schedule
        Its name, and a function `multiplier(step, steps, warmup)` of the step, the number of steps, and the number of
        warm-up steps, that returns a factor from 0 to 1.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Schedule
        The entry that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    TypeError
        For an entry of another class.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.training.schedules import Schedule
    >>> falling = antiphon.register_schedule(Schedule("falling", lambda step, steps, warmup: 1 - step / steps))
    >>> {"name": "falling"} in antiphon.catalogue("schedules")
    True
    >>> [falling.multiplier(step, 4, 0) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    return SCHEDULES.register(schedule, replace=replace)
