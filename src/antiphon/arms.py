"""The paper's arms as data: which descriptor goes into which tower by which mechanism."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from antiphon.descriptors import Side
from antiphon.errors import UnknownName


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Injected:
    """One descriptor into one tower; `options` go to the mechanism."""

    descriptor: str
    into: Side
    by: str = "concat"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Arm:
    """A row of the paper's tables: the baseline model plus injections, in order."""

    name: str
    injected: tuple[Injected, ...] = ()


_A4 = Injected("a4", "audio")
_D4 = Injected("d4", "notes")

ARMS: Mapping[str, Arm] = MappingProxyType(
    {
        arm.name: arm
        for arm in (
            Arm("D0"),
            Arm("D4", (_D4,)),
            Arm("A4", (_A4,)),
            Arm("d4a4", (_D4, _A4)),
        )
    }
)


def find_arm(name: str) -> Arm:
    """An arm by name. Raises `UnknownName`."""
    if name not in ARMS:
        raise UnknownName("arm", name, ARMS)
    return ARMS[name]
