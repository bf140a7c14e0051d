"""Mechanisms that bring a descriptor into a model; one file each, defining `MECHANISM` (paper §4).

A mechanism is an `nn.Module` that acts at one place, and its place says how it is called:

| place       | called                                                    | returns                                    |
|-------------|-----------------------------------------------------------|--------------------------------------------|
| `features`  | before positions: (tokens, descriptor)                    | tokens                                     |
| `tokens`    | after positions: (tokens, descriptor)                     | tokens                                     |
| `attention` | before each layer: (tokens, descriptor, layer)            | what is added to attention scores          |
| `layers`    | after each layer: (tokens, descriptor, layer)             | tokens, and penalties for the loss by name |
| `head`      | after each norm of the head: (hidden, descriptor, layer)  | hidden                                     |
| `branch`    | beside the towers: (descriptors)                          | an embedding of its own                    |

Masks are honoured everywhere: padded notes are never attended to and never averaged, where the reference's
cross-attention read them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor, nn

from antiphon.registry import Registry

InjectionPoint = Literal["features", "tokens", "attention", "layers", "head", "branch"]
Penalties = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """What a mechanism has to fit: the width and number of layers of a tower (or of a head: hidden width and norms),
    its attention heads, its rates of dropout, and the dimensions of the common space."""

    width: int
    layers: int
    heads: int
    dropout: float
    attention_dropout: float
    embedding: int


@runtime_checkable
class Annealed(Protocol):
    """A mechanism that changes as training goes on: the loop sets `progress` from 0 to 1."""

    progress: float


@dataclass(frozen=True)
class Mechanism:
    """`build(shape, dimensions, **options)` makes the module for a tower's shape and a descriptor's dimensions."""

    name: str
    place: InjectionPoint
    build: Callable[..., nn.Module]


MECHANISMS = Registry("mechanism", Mechanism, "antiphon.models.injection", "MECHANISM", "antiphon.mechanisms")


def register_mechanism(mechanism: Mechanism, *, replace: bool = False) -> Mechanism:
    """Add a mechanism of injection for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.mechanisms`. `replace` permits a name that an earlier call registered.

    Raises `AntiphonError` for a name that is taken.
    """
    return MECHANISMS.register(mechanism, replace=replace)
