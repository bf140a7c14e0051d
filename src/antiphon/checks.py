"""Checks of arguments that functions and commands share; each failure is an `AntiphonError` of one line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from antiphon.errors import AntiphonError


@dataclass(frozen=True)
class Range:
    """The finite numbers from `low` to `high`; `above` leaves out `low` itself."""

    low: float
    high: float = math.inf
    above: bool = False

    def __str__(self) -> str:
        if self.above:
            return f"a finite number above {self.low:g}"
        return f"{self.low:g} or more" if self.high == math.inf else f"{self.low:g} to {self.high:g}"

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, Real) or not math.isfinite(value):
            return False
        number: Any = value
        return bool(self.low <= number <= self.high and not (self.above and number == self.low))

    def check(self, name: str, value: Any) -> None:
        """Raise `AntiphonError` for a value outside the range. None, the absence of a value, passes."""
        if value is not None and value not in self:
            raise AntiphonError(f"{name} is {value!r}; it takes {self}")


SEED = Range(0, 2**63 - 1)  # PyTorch takes no more
COUNT = Range(1)
MIN_0 = Range(0)
PROBABILITY = Range(0, 1)
SECONDS = Range(0, above=True)
SAMPLE_RATE_HZ = Range(8000, 96_000)


def wrong_type(name: str, expected: str, value: object) -> AntiphonError:
    """The error for an argument of another type; for an array it names `Sound`."""
    hint = ""
    if hasattr(value, "__array__") or isinstance(value, list | tuple):
        hint = "; an array of samples has to be wrapped: antiphon.Sound(samples, sample_rate_hz)"
    return AntiphonError(f"{name}: expected {expected}, got {type(value).__name__}{hint}")


def check_path(name: str, expected: str, value: object) -> None:
    """Raise `AntiphonError` for a value that is not a path; `expected` describes the argument."""
    if not isinstance(value, str | Path):
        raise wrong_type(name, expected, value)


def check_not_input(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise `AntiphonError` where writing to `output` would overwrite one of the inputs. They need not exist."""
    output = Path(output)
    if not output.exists():
        return
    resolved = output.resolve()
    for one in inputs:
        path = Path(one)
        if path.resolve() == resolved or (path.exists() and path.samefile(output)):
            raise AntiphonError(f"{output}: this is an input, which the output would overwrite; choose another path")
