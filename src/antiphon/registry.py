"""Registries: tables of descriptors, towers, mechanisms, losses, schedules, kinds of corpora and analyses, by name.

An entry comes from one of three sources: a module of the package that defines the table's constant, an entry point of
an installed package, or a call of `Registry.register`. No existing file is edited for a new entry.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Literal, Protocol, TypeVar

from antiphon.errors import AntiphonError, UnknownName

_log = logging.getLogger(__name__)


class Named(Protocol):
    @property
    def name(self) -> str: ...


Entry = TypeVar("Entry", bound=Named)


@dataclass(frozen=True)
class Source:
    """The origin of an entry; `text` names it in messages. An entry point has the `distribution` that declares it."""

    kind: Literal["package", "entry point", "call"]
    text: str
    distribution: str | None = None


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Name → entry. The table is filled at first use.

    Parameters
    ----------
    kind
        The noun for messages, such as "descriptor".
    entry_type
        The class of the entries. Anything else is refused.
    package, constant
        Each module of `package` that defines `constant` contributes an entry.
    group
        The group of entry points that installed packages use, such as "antiphon.descriptors".

    Raises
    ------
    UnknownName
        For a name that is not in the table.
    AntiphonError
        When two sources define the same name; the message names both. An entry point that does not load is left out
        instead, with one logged warning that names its distribution and the fault.
    """

    def __init__(self, kind: str, entry_type: type[Entry], package: str, constant: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._type = entry_type
        self._package = package
        self._constant = constant
        self._entries: dict[str, Entry] = {}
        self._sources: dict[str, Source] = {}
        self._filled = False
        self._lock = threading.RLock()

    def register(self, entry: Entry, *, replace: bool = False) -> Entry:
        """Add an entry for the running process, and return it.

        `replace` permits a name that an earlier call registered, as when a notebook cell runs twice. Raises
        `AntiphonError` for a name that is taken and `TypeError` for an entry of another class.
        """
        if not isinstance(entry, self._type):
            raise TypeError(f"a {self.kind} is a {self._type.__name__}, got {type(entry).__name__}")
        with self._lock:
            self._fill()
            if replace and entry.name in self._entries and self._sources[entry.name].kind == "call":
                del self._entries[entry.name]
            self._add(entry, Source("call", f"registered in {caller()}"))
        return entry

    def unregister(self, name: str) -> None:
        """Remove an entry that `register` added. Raises `UnknownName`, and `AntiphonError` for any other entry."""
        with self._lock:
            source = self.source(name)
            if source.kind != "call":
                raise AntiphonError(f"{self.kind} {name!r} cannot be removed: it comes from {source.text}")
            del self._entries[name], self._sources[name]

    def source(self, name: str) -> Source:
        """The origin of an entry. Raises `UnknownName`."""
        self[name]
        return self._sources[name]

    def __getitem__(self, name: str) -> Entry:
        self._fill()
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownName(self.kind, name, self._entries) from None

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        self._fill()
        return len(self._entries)

    def _fill(self) -> None:
        with self._lock:
            if self._filled:
                return
            self._filled = True  # before the imports: a module that is imported here may call `register`
            try:
                self._add_modules()
                self._add_entry_points()
            except BaseException:
                self._filled = False
                self._entries.clear()
                self._sources.clear()
                raise

    def _add_modules(self) -> None:
        package = importlib.import_module(self._package)
        for found in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{self._package}.{found.name}")
            entry = getattr(module, self._constant, None)
            if entry is not None:
                self._add(entry, Source("package", module.__name__))
        if not self._entries:
            raise ValueError(f"no module of {self._package} defines {self._constant}")

    def _add_entry_points(self) -> None:
        for point in sorted(entry_points(group=self.group), key=lambda point: (point.name, point.value)):
            source = _source_of(point)
            try:
                entry = point.load()
            except Exception as error:  # the import of foreign code can raise anything
                self._leave_out(source, f"does not load ({type(error).__name__}: {error})")
                continue
            if not isinstance(entry, self._type):
                self._leave_out(source, f"is of type {type(entry).__name__}; a {self.kind} is a {self._type.__name__}")
                continue
            self._add(entry, source)

    def _leave_out(self, source: Source, fault: str) -> None:
        _log.warning("%s", f"{source.text} {fault}; this {self.kind} is left out".replace("\n", " "))

    def _add(self, entry: Entry, source: Source) -> None:
        if entry.name in self._entries:
            first = self._sources[entry.name].text
            raise AntiphonError(f"two {self.kind}s are named {entry.name!r}: {first}, and {source.text}; rename one")
        self._entries[entry.name] = entry
        self._sources[entry.name] = source


def _source_of(point: EntryPoint) -> Source:
    distribution = "an unnamed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
    text = f"{distribution}: entry point {point.name!r} ({point.value}) of group {point.group}"
    return Source("entry point", text, distribution)


def caller() -> str:
    """File and line of the innermost calling frame outside the package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] == "antiphon":
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
