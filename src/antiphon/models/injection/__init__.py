"""Mechanisms, the ways of injecting a descriptor into a model; each module defines one, `MECHANISM` (paper §4).

A mechanism is an `nn.Module` that acts at one injection point, which determines its arguments and its result:

| point       | called                                                    | returns                                    |
|-------------|-----------------------------------------------------------|--------------------------------------------|
| `features`  | before positions: (tokens, descriptor)                    | tokens                                     |
| `tokens`    | after positions: (tokens, descriptor)                     | tokens                                     |
| `attention` | before each layer: (tokens, descriptor, layer)            | a bias that is added to attention scores   |
| `layers`    | after each layer: (tokens, descriptor, layer)             | tokens, and penalties for the loss by name |
| `head`      | after each norm of the head: (hidden, descriptor, layer)  | hidden                                     |
| `branch`    | next to the towers: (descriptors)                         | an embedding of its own                    |

All mechanisms apply masks: padded notes are neither attended to nor averaged. The reference's cross-attention attended
to them.
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
    """The sizes that a mechanism is built for: width and number of layers of a tower (of a head: hidden width and
    number of norms), attention heads, dropout rates, and the dimensions of the common space."""

    width: int
    layers: int
    heads: int
    dropout: float
    attention_dropout: float
    embedding: int


@runtime_checkable
class Annealed(Protocol):
    """A mechanism that depends on the progress of training; the training loop sets `progress` from 0 to 1."""

    progress: float


@dataclass(frozen=True)
class Mechanism:
    """A named mechanism that acts at the injection point `place`.

    `build(shape, dimensions, **options)` makes the module for a tower's shape and a descriptor's dimensions.
    """

    name: str
    place: InjectionPoint
    build: Callable[..., nn.Module]


MECHANISMS = Registry("mechanism", Mechanism, "antiphon.models.injection", "MECHANISM", "antiphon.mechanisms")


def register_mechanism(mechanism: Mechanism, *, replace: bool = False) -> Mechanism:
    """Add a mechanism of injection for the running process, and return it.

    Other processes, such as campaign workers, see it only where an installed package declares it as an entry point of
    group `antiphon.mechanisms`.

    Parameters
    ----------
    mechanism
        Its name, its injection point, and a function `build(shape, dimensions, **options)` that makes the `nn.Module`
        for the `Shape` of a tower and the K dimensions of a descriptor.
    replace
        Permits a name that an earlier call registered, as when a notebook cell runs twice.

    Returns
    -------
    Mechanism
        The entry that was added.

    Raises
    ------
    AntiphonError
        When the name is taken.
    TypeError
        For an entry of another class.

    Examples
    --------
    >>> from torch import nn
    >>> import antiphon
    >>> from antiphon.models.batch import Tokens
    >>> from antiphon.models.injection import Mechanism
    >>> class Shift(nn.Module):
    ...     def __init__(self, shape, dimensions):
    ...         super().__init__()
    ...         self.project = nn.Linear(dimensions, shape.width)
    ...
    ...     def forward(self, tokens, descriptor):
    ...         return Tokens(tokens.values + self.project(descriptor.mean()).unsqueeze(1), tokens.padding)
    >>> mechanism = antiphon.register_mechanism(Mechanism("shift", "tokens", Shift))
    >>> {"name": "shift", "place": "tokens"} in antiphon.catalogue("mechanisms")
    True
    >>> arm = antiphon.register_arm(antiphon.Arm("A4s", (antiphon.Injected("a4", into="audio", by="shift"),)))
    >>> arm.injections_in_words
    ['a4 into audio by shift']
    """
    return MECHANISMS.register(mechanism, replace=replace)
