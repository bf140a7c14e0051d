"""Conversion and checks of the arrays that embedders take; all embedders share them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def as_samples(samples: ArrayLike) -> NDArray[np.float32]:
    """Mono samples as float32 [n], copied only where their type differs. Integers are not scaled to ±1.

    Raises `ValueError` for more than one channel, for values that are not numbers, and for numbers that are not finite.

    >>> as_samples([0, 1]).dtype
    dtype('float32')
    >>> as_samples([[0.0, 0.0], [0.1, 0.1]])
    Traceback (most recent call last):
    ValueError: samples: expected mono audio of shape [n], found shape (2, 2); mix the channels first
    """
    array = _numbers("samples", samples)
    if array.ndim != 1:
        hint = "; mix the channels first" if array.ndim == 2 else ""
        raise ValueError(f"samples: expected mono audio of shape [n], found shape {array.shape}{hint}")
    with np.errstate(over="ignore", invalid="ignore"):
        found = array.astype(np.float32, copy=False)
        # The sum is finite if all samples are, and needs no second array of the same length.
        if not np.isfinite(found.sum(dtype=np.float64)):
            raise ValueError(f"samples: expected finite numbers, found {found[~np.isfinite(found)][0]}")
    return found


def as_starts(starts_s: ArrayLike) -> NDArray[np.float64]:
    """Starts of windows in seconds as float64 [w], copied only where their type differs.

    Raises `ValueError` for another shape, for values that are not numbers, and for times that are not finite.

    >>> as_starts([0, 1.5]).tolist()
    [0.0, 1.5]
    """
    array = _numbers("starts_s", starts_s)
    if array.ndim != 1:
        raise ValueError(f"starts_s: expected seconds of shape [w], one for each window, found shape {array.shape}")
    found = array.astype(np.float64, copy=False)
    if not np.isfinite(found).all():
        raise ValueError(f"starts_s: expected finite seconds, found {found[~np.isfinite(found)][0]}")
    return found


def _numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    """A sequence of real numbers as an array."""
    try:
        array = np.asarray(values)
        array = array.astype(np.float64) if array.dtype == object else array
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a sequence of numbers, found {type(values).__name__} ({error})") from None
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected a sequence of numbers, found {type(values).__name__} of {array.dtype}")
    return array
