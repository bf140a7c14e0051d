"""The registry of kinds of queries. A new kind is one decorated function in a module of this package.

A kind draws a query from a random generator: mono audio at 24 kHz or notes. The same generator state gives the same
query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.io.audio import Sound
from antiphon.io.notes import Notes

RATE_HZ = 24_000
SHORTEST_S, LONGEST_S = 4.0, 20.0

Samples = NDArray[np.float64]
Generator = np.random.Generator


@dataclass(frozen=True)
class Kind:
    """A kind of query. `may_occur` says that a library of music may really hold such a passage: a scale, a trill."""

    name: str
    draw: Callable[[Generator], Sound | Notes]
    may_occur: bool = False


KINDS: dict[str, Kind] = {}


def sound_kind(draw: Callable[[Generator, int], Samples]) -> Callable[[Generator, int], Samples]:
    """Register a kind of audio by the name of its function, which gets the number of samples [n] to draw.

    The duration is uniform in 4 to 20 s. The peak level is −30 to −0.5 dB.
    """

    def sound(rng: Generator) -> Sound:
        samples = draw(rng, round(rng.uniform(SHORTEST_S, LONGEST_S) * RATE_HZ))
        peak = 10 ** (rng.uniform(-30.0, -0.5) / 20)
        scaled = samples * (peak / max(float(np.abs(samples).max()), 1e-12))
        return Sound(scaled.astype(np.float32), RATE_HZ)

    _register(Kind(_name_of(draw), sound))
    return draw


def notes_kind(may_occur: bool = False) -> Callable[[Callable[[Generator], Notes]], Callable[[Generator], Notes]]:
    """Register a kind of notes by the name of its function."""

    def register(draw: Callable[[Generator], Notes]) -> Callable[[Generator], Notes]:
        _register(Kind(_name_of(draw), draw, may_occur))
        return draw

    return register


def _name_of(draw: Callable[..., object]) -> str:
    return draw.__name__.replace("_", "-")


def _register(kind: Kind) -> None:
    if kind.name in KINDS:
        raise ValueError(f"kind {kind.name!r} is registered twice")
    KINDS[kind.name] = kind


def generator(kind: str, seed: int, number: int) -> Generator:
    """The random generator of query `number` of a kind; independent for each kind, seed and number."""
    return np.random.default_rng([seed, number, *kind.encode()])


def draw_query(kind: str, seed: int, number: int) -> Sound | Notes:
    """Query `number` of a kind."""
    return KINDS[kind].draw(generator(kind, seed, number))
