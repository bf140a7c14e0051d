"""Mechanisms that bring a descriptor into a tower; one file each, defining `MECHANISM` (paper §4).

A mechanism is an `nn.Module` (tokens, descriptor) → tokens that acts at one place of the tower: on its `features`
before positions, or on its `tokens` after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from antiphon.registry import Registry

Place = Literal["features", "tokens"]


@dataclass(frozen=True)
class Mechanism:
    """`build(width, dimensions, **options)` makes the module for a tower's width and a descriptor's dimensions."""

    name: str
    place: Place
    build: Callable[..., nn.Module]


MECHANISMS: Registry[Mechanism] = Registry("mechanism", "antiphon.injection", "MECHANISM")
