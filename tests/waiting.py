"""Waiting in tests: every wait ends when its condition holds, and has the one limit of this module.

The limit only stops a test that hangs. It is far beyond what the slowest machine needs, so no assertion depends on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LIMIT_S = 300.0
_POLL_S = 0.01

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, pause: Callable[[], object] = lambda: time.sleep(_POLL_S)) -> T:
    """The first true value of `condition`, which is evaluated again after each `pause`.

    Raises `AssertionError` that names `what` after `LIMIT_S` seconds without one.
    """
    end = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {LIMIT_S:g} s"
        pause()
    return value
