"""Checks of settings: probabilities in 0–1, and ranges (low, high) within their physical limits."""

from __future__ import annotations

from typing import Any


def check_probability(settings: Any, *names: str) -> None:
    """Raises `ValueError` when one of these fields is outside 0–1."""
    for name in names:
        value = getattr(settings, name)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} is a probability within 0–1, got {value}")


def check_range(settings: Any, name: str, least: float = float("-inf"), most: float = float("inf")) -> None:
    """Raises `ValueError` when a field (low, high) does not satisfy least ≤ low ≤ high ≤ most."""
    low, high = getattr(settings, name)
    if not least <= low <= high <= most:
        raise ValueError(f"{name} is (low, high) with {least:g} ≤ low ≤ high ≤ {most:g}, got ({low}, {high})")
