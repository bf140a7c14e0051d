"""Towers: encoders of a window of audio or notes: front end → tokens → layers → one vector.

A tower is a module with the steps of the `Tower` protocol. `antiphon.models.network.DualEncoder` runs them in order
and applies injections in between. Each module of this package that defines `TOWER` is one kind of tower.
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
    """The playbacks that an audio tower supports: tempi in steps of 1 / `tempo_steps`, and transpositions by multiples
    of `semitone_step`, or none."""

    tempo_steps: int
    semitone_step: int | None

    def nearest(self, playback: Playback) -> Playback:
        """The supported playback with the nearest tempo. Raises `ValueError` for an unsupported transposition.

        >>> Elasticity(60, 1).nearest(Playback(0.81, 3))
        Playback(tempo=0.8166666666666667, semitones=3)
        """
        if playback.semitones and (self.semitone_step is None or playback.semitones % self.semitone_step):
            allowed = (
                "no transposition" if self.semitone_step is None else f"steps of {self.semitone_step} semitones only"
            )
            raise ValueError(f"cannot transpose by {playback.semitones:+d} semitones: its bands allow {allowed}")
        slowest = ceil(self.tempo_steps / 2)  # below is no valid playback
        steps = max(slowest, round(playback.tempo * self.tempo_steps))
        return replace(playback, tempo=steps / self.tempo_steps)


class Tower(Protocol):
    """The interface of a tower, an `nn.Module`.

    `width` is that of tokens, `pooled_width` that of the result. An audio tower that supports other playbacks has an
    `elasticity`; see `elasticity_of`.
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

    def add_positions(self, tokens: Tokens, batch: Batch) -> Tokens:
        """Tokens [B, T, width] with their positions in time encoded."""
        ...

    def pool(self, tokens: Tokens) -> Tensor:
        """Tokens after the last layer → [B, pooled_width]."""
        ...


def elasticity_of(tower: Tower) -> Elasticity | None:
    """The playbacks that a tower supports; None for a tower that ignores a batch's playback."""
    return getattr(tower, "elasticity", None)


@dataclass(frozen=True)
class TowerKind:
    """A named kind of tower; `build` takes the options of a preset and returns a `Tower`."""

    name: str
    side: Modality
    build: Callable[..., nn.Module]


TOWERS = Registry("tower", TowerKind, "antiphon.models.towers", "TOWER", "antiphon.towers")


def register_tower(tower: TowerKind, *, replace: bool = False) -> TowerKind:
    """Add a tower for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.towers`.

    Parameters
    ----------
    tower
        Its name, its modality, and a function `build(**options)` that makes the `Tower` from the options of a preset.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    TowerKind
        The entry that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    TypeError
        For an entry of another class.

    Examples
    --------
    >>> from functools import partial
    >>> import antiphon
    >>> from antiphon.models.towers import TowerKind
    >>> from antiphon.models.towers.piano_roll import piano_roll_tower
    >>> build = partial(piano_roll_tower, frames=100, frame_s=0.04)
    >>> tower = antiphon.register_tower(TowerKind("coarse_piano_roll", "notes", build))
    >>> [one for one in antiphon.catalogue("towers") if one["name"] == "coarse_piano_roll"]
    [{'name': 'coarse_piano_roll', 'side': 'notes'}]
    """
    return TOWERS.register(tower, replace=replace)
