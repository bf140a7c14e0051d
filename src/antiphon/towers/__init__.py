"""Towers: a window of sound or notes → tokens → transformer layers → one vector.

A tower is a module with the four steps of the `Tower` protocol; `antiphon.model.encode` runs them in order and lets
injections act in between. One file per tower, each defining `TOWER`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from antiphon.batch import Batch, Tokens
from antiphon.descriptors import Side
from antiphon.registry import Registry


class Tower(Protocol):
    """What `encode` needs of a tower, an `nn.Module`."""

    width: int
    pooled_width: int
    heads: int
    dropout: float
    attention_dropout: float
    layers: nn.ModuleList

    def features(self, batch: Batch) -> Tokens:
        """The front end: tokens [B, T, width] before positions."""
        ...

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens: ...

    def pool(self, tokens: Tokens) -> Tensor:
        """Tokens after the last layer → [B, pooled_width]."""
        ...


@dataclass(frozen=True)
class TowerKind:
    """A named tower; `build` takes the options of a preset."""

    name: str
    side: Side
    build: Callable[..., nn.Module]


TOWERS: Registry[TowerKind] = Registry("tower", "antiphon.towers", "TOWER")
