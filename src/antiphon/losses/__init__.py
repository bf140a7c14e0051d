"""Losses: pure functions of the two sides' embeddings; one file each, defining `LOSS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from antiphon.registry import Registry


@dataclass(frozen=True)
class Loss:
    """`compute(audio [B, D], notes [B, D])` → its terms by name; training minimises their sum."""

    name: str
    compute: Callable[[Tensor, Tensor], dict[str, Tensor]]


LOSSES: Registry[Loss] = Registry("loss", "antiphon.losses", "LOSS")
