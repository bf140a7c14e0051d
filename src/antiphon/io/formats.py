"""Numbered formats of config files: files of older versions are migrated, files of newer versions are refused.

Whenever a field of a config, or of a part of it, is added, removed or renamed, increase `current` and add a step that
converts the previous format to the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from antiphon.errors import UnreadableInput
from antiphon.io.files import write_json

Document = dict[str, Any]
Config = TypeVar("Config")
_KEY = "format"


@dataclass(frozen=True)
class Format:
    """One kind of config file, JSON with its format number under `format`.

    `steps[n]` turns a document of format n into one of format n + 1. A file without a number has format 0.
    """

    kind: str
    current: int
    steps: Mapping[int, Callable[[Document], Document]]

    def read(self, path: Path, config: type[Config]) -> Config:
        """Read a config of the current or an older format. Raises `UnreadableInput` with the fault."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self._unreadable(path, str(error)) from None
        if not isinstance(document, dict):
            raise self._unreadable(path, "not a JSON object")
        try:
            return TypeAdapter(config).validate_python(self._migrate(document, path))
        except ValidationError as error:
            first = error.errors()[0]
            raise self._unreadable(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def write(self, path: Path, config: Any) -> None:
        """Write a config in the current format, atomically."""
        write_json(path, {_KEY: self.current, **to_plain(config)})

    def _migrate(self, document: Document, path: Path) -> Document:
        number = document.pop(_KEY, 0)
        if not isinstance(number, int):
            raise self._unreadable(path, f"its format number is {number!r}")
        if number > self.current:
            reason = f"its format is {number}, this version of Antiphon reads up to {self.current}: upgrade Antiphon"
            raise UnreadableInput(path, reason)
        for step in range(number, self.current):
            if step not in self.steps:
                raise UnreadableInput(path, f"its format is {number}, which this version of Antiphon cannot read")
            document = self.steps[step](document)
        return document

    def _unreadable(self, path: Path, reason: str) -> UnreadableInput:
        return UnreadableInput(path, f"not a {self.kind}'s config ({reason})")


def renamed(document: Document, names: Mapping[str, str]) -> Document:
    """Rename some fields of a document.

    >>> renamed({"memory": 1, "seed": 2}, {"memory": "queue_size"})
    {'queue_size': 1, 'seed': 2}
    """
    return {names.get(name, name): value for name, value in document.items()}


def to_plain(config: Any) -> Document:
    """A config as JSON-ready data."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")
