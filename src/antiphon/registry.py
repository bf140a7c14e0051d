"""Tables that fill themselves: every module of a package that defines the table's constant is an entry.

Adding a descriptor, tower, mechanism, loss, schedule or kind of corpus is adding one file; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Generic, Protocol, TypeVar

from antiphon.errors import UnknownName


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Name → entry, read from the constant `constant` of each module in `package` at first use.

    Raises `UnknownName` for a name that is not there and `ValueError` when two modules claim one name.
    """

    def __init__(self, kind: str, package: str, constant: str) -> None:
        self.kind = kind
        self._package = package
        self._constant = constant

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        package = importlib.import_module(self._package)
        entries: dict[str, Entry] = {}
        for found in pkgutil.walk_packages(package.__path__, f"{self._package}."):
            module = importlib.import_module(found.name)
            entry = getattr(module, self._constant, None)
            if entry is None:
                continue
            if entry.name in entries:
                raise ValueError(f"two {self.kind}s are named {entry.name!r}; the second is in {module.__name__}")
            entries[entry.name] = entry
        if not entries:
            raise ValueError(f"no module of {self._package} defines {self._constant}")
        return entries

    def __getitem__(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
