"""Towers: a window of sound or notes → tokens → transformer layers → one vector.

A tower is a module with the four steps of the `Tower` protocol; `antiphon.models.network.DualEncoder` runs them in
order and lets injections act in between. One file per tower, each defining `TOWER`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

from torch import Tensor, nn

from antiphon.models.batch import Batch, Tokens
from antiphon.registry import Registry
from antiphon.types import Modality, Playback


@dataclass(frozen=True)
class Elasticity:
    """Which playbacks an audio tower can hear: tempi in steps of 1 / `tempo_steps`, and transpositions by multiples of
    `semitone_step`, or none."""

    tempo_steps: int
    semitone_step: int | None

    def nearest(self, playback: Playback) -> Playback:
        """The playback with the nearest tempo that can be heard. Raises `ValueError` for semitones that cannot.

        >>> Elasticity(60, 1).nearest(Playback(0.81, 3))
        Playback(tempo=0.8166666666666667, semitones=3)
        """
        if playback.semitones and (self.semitone_step is None or playback.semitones % self.semitone_step):
            can = "no transposition" if self.semitone_step is None else f"steps of {self.semitone_step} semitones only"
            raise ValueError(f"cannot hear {playback.semitones:+d} semitones: its bands allow {can}")
        slowest = ceil(self.tempo_steps / 2)  # a step below would be no playback
        steps = max(slowest, round(playback.tempo * self.tempo_steps))
        return replace(playback, tempo=steps / self.tempo_steps)


class Tower(Protocol):
    """What `encode` needs of a tower, an `nn.Module`.

    An audio tower that can hear sound at another playback has an `elasticity`; see `elasticity_of`.
    """

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


def elasticity_of(tower: Tower) -> Elasticity | None:
    """Which playbacks a tower can hear; None when it hears sound as it was recorded only, and ignores a batch's."""
    return getattr(tower, "elasticity", None)


@dataclass(frozen=True)
class TowerKind:
    """A named tower; `build` takes the options of a preset."""

    name: str
    side: Modality
    build: Callable[..., nn.Module]


TOWERS = Registry("tower", TowerKind, "antiphon.models.towers", "TOWER", "antiphon.towers")


def register_tower(tower: TowerKind, *, replace: bool = False) -> TowerKind:
    """Add a tower for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.towers`. `replace` permits a name that an earlier call registered.

    Raises `AntiphonError` for a name that is taken.
    """
    return TOWERS.register(tower, replace=replace)
