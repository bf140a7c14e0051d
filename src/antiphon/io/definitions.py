"""Named definitions in TOML files: tables such as `[arms.NAME]` and `[presets.NAME]`, validated against dataclasses.

A reference is `FILE.toml:NAME`, or `FILE.toml` where the file defines one name only.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from antiphon.errors import AntiphonError, UnknownName, UnreadableInput, look_up
from antiphon.registry import Named

Document = dict[str, Any]
Defined = TypeVar("Defined", bound=Named)
Config = TypeVar("Config")
_SUFFIX = ".toml"
_NAME = re.compile(r"\w[\w.+-]*")  # names become parts of file names
_UNEXPECTED_KEY = "unexpected_keyword_argument"


class Definitions(Mapping[str, Defined], Generic[Defined]):
    """Definitions by name: those of the package and those that `register` added; `read` makes more of TOML tables.

    `kind` is the noun for messages, with its article, such as "an arm"; the tables are `[arms.NAME]`. `check` raises
    `UnknownName` for a definition that names a part that does not exist.
    """

    def __init__(self, kind: str, built_in: Sequence[Defined], check: Callable[[Defined], None]) -> None:
        self._kind = kind
        self._noun = kind.split()[-1]
        self._section = f"{self._noun}s"
        self._built_in = {one.name: one for one in built_in}
        self._check = check
        self._known = dict(self._built_in)

    def __getitem__(self, name: str) -> Defined:
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def is_built_in(self, defined: Defined) -> bool:
        """Whether a definition comes with the package, so that its name defines it."""
        return self._built_in.get(defined.name) == defined

    def register(self, defined: Defined, replace: bool) -> Defined:
        """Add a definition for the running process, and return it.

        `replace` permits a name that an earlier call registered. Raises `AntiphonError` for a name that is taken, and
        as `check` does.
        """
        if defined.name in (self._built_in if replace else self._known):
            raise AntiphonError(f"{self._kind} named {defined.name!r} exists already; choose another name")
        self._check(defined)
        self._known[defined.name] = defined
        return defined

    def read(
        self, document: Document, path: Path, make: Callable[[Document, Path, str], Defined]
    ) -> dict[str, Defined]:
        """The definitions of a document that was read from `path`, by name.

        `make` gets a table with its name, the path, and the key of the table for messages. Raises `UnreadableInput`
        that names file and key.
        """
        found = {}
        for name, table in tables(document, self._section, path).items():
            at = f"{self._section}.{name}"
            if name in self._built_in:
                raise UnreadableInput(path, f"{at}: {self._kind} of the package has this name; choose another")
            if "name" in table:
                raise UnreadableInput(path, f"{at}.name: the key of the table is the name; remove this line")
            try:
                found[name] = make(table | {"name": name}, path, at)
                self._check(found[name])
            except UnknownName as error:
                raise UnreadableInput(path, f"{at}: {error}") from None
        return found

    def find(self, name: str, load: Callable[[Path], dict[str, Defined]]) -> Defined:
        """A definition by name, or by reference to a TOML file, which `load` reads.

        Raises `UnknownName`, and `UnreadableInput` as `load` does.
        """
        reference = split_reference(name)
        if reference is None:
            return look_up(self._noun, name, self)
        path, chosen = reference
        return choose(load(path), chosen, self._section, path)


def split_reference(reference: str) -> tuple[Path, str | None] | None:
    """File and name of a reference; None where `reference` is a plain name.

    >>> split_reference("my.toml:loudness")
    (PosixPath('my.toml'), 'loudness')
    >>> split_reference("my.toml")
    (PosixPath('my.toml'), None)
    >>> split_reference("d4a4") is None
    True
    """
    if reference.endswith(_SUFFIX):
        return Path(reference), None
    file, colon, name = reference.rpartition(":")
    return (Path(file), name) if colon and file.endswith(_SUFFIX) else None


def read_toml(path: Path) -> Document:
    """The content of a TOML file. Raises `UnreadableInput` that names the fault and its line."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableInput(path, error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UnreadableInput(path, f"not TOML ({error})") from None


def tables(document: Document, section: str, path: Path) -> dict[str, Document]:
    """The tables `[section.NAME]` of a document by name. Raises `UnreadableInput` for anything else in the section."""
    found = document.get(section, {})
    if not isinstance(found, dict):
        raise UnreadableInput(path, f"{section}: expected tables [{section}.NAME]")
    for name, table in found.items():
        if not _NAME.fullmatch(name):
            raise UnreadableInput(path, f"{section}.{name}: a name has letters, digits, '_', '-', '+' and '.' only")
        if not isinstance(table, dict):
            raise UnreadableInput(path, f"{section}.{name}: expected a table [{section}.NAME]")
    return found


def choose(found: dict[str, Defined], name: str | None, section: str, path: Path) -> Defined:
    """The definition that a reference names.

    Raises `UnknownName` for an unknown name, and `UnreadableInput` where there is none or where one must be named.
    """
    if not found:
        raise UnreadableInput(path, f"it has no table [{section}.NAME]")
    if name is None and len(found) > 1:
        raise UnreadableInput(path, f"it defines {', '.join(found)}; name one: {path}:{next(iter(found))}")
    name = next(iter(found)) if name is None else name
    if name not in found:
        raise UnknownName(f"table of {path}: {section}", name, found)
    return found[name]


def validated(config: type[Config], table: Document, path: Path, at: str = "") -> Config:
    """A dataclass made of a table; `at` is the key of the table, empty for a whole file.

    Raises `UnreadableInput` that names file and key, with the nearest valid key for one that is unknown.
    """
    try:
        return TypeAdapter(config).validate_python(table)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is the cause.
        first = min(error.errors(), key=lambda fault: fault["type"] != _UNEXPECTED_KEY)
        where, fault = list(first["loc"]), first["msg"]
        if first["type"] == _UNEXPECTED_KEY:
            key = where.pop()
            fault = str(UnknownName("key", str(key), _keys_at(config, where)))
        location = ".".join(filter(None, (at, *map(str, where))))
        raise UnreadableInput(path, f"{location}: {fault}" if location else fault) from None


def _keys_at(config: Any, parents: Sequence[str | int]) -> list[str]:
    """The fields of the dataclass that lies at `parents`, a path of fields and positions within `config`."""
    for parent in parents:
        if dataclasses.is_dataclass(config):
            config = typing.get_type_hints(config)[str(parent)]
        elif isinstance(parent, int):  # a position in a tuple of any length
            config = typing.get_args(config)[0]
        members = [one for one in typing.get_args(config) if dataclasses.is_dataclass(one)]
        if not isinstance(parent, int) and members and type(None) in typing.get_args(config):
            config = members[0]
    return [field.name for field in dataclasses.fields(config)] if dataclasses.is_dataclass(config) else []
