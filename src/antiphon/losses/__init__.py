"""Losses: pure functions of the two sides' embeddings; one file each, defining `LOSS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from antiphon.registry import Registry


@dataclass(frozen=True)
class Loss:
    """`compute(audio [B, D], notes [B, D], not_wrong)` → its terms by name; training minimises their sum.

    `not_wrong` bool [B, B], or None, marks pairs of different windows that a contrastive loss must not push apart.
    """

    name: str
    compute: Callable[[Tensor, Tensor, Tensor | None], dict[str, Tensor]]


LOSSES: Registry[Loss] = Registry("loss", "antiphon.losses", "LOSS")
