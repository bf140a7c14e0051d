"""The resumable store of results: a folder of JSON documents, each with the identity of its inputs.

Campaigns, comparisons and analyses keep their results in such a folder. A result is computed once. It is computed again
when it is absent, damaged, or of another identity: another model, other data, another seed or other settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.io.files import write_json

Result = dict[str, Any]
Identity = Mapping[str, Any]
"""The inputs that a result depends on, as fields of its document."""


@dataclass(frozen=True)
class ResultStore:
    """Results by key in `folder`: `KEY.json` holds a result, other files `KEY.SUFFIX` may belong to it."""

    folder: Path

    def path(self, key: str, suffix: str = "json") -> Path:
        """The file of a key. Keys may contain dots."""
        return self.folder / f"{key}.{suffix}"

    def read(self, key: str) -> Result | None:
        """The result of a key, whatever its identity; None where the file is absent or is not a JSON object."""
        try:
            result = json.loads(self.path(key).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # ValueError: not JSON, or not UTF-8
            return None
        return result if isinstance(result, dict) else None

    def find(self, key: str, identity: Identity) -> Result | None:
        """The result of a key if its document has every field of the identity with an equal value, else None."""
        result = self.read(key)
        return result if result is not None and _has(result, identity) else None

    def put(self, key: str, identity: Identity, result: Result) -> None:
        """Write a result atomically. The folder is created if it is absent.

        Raises `ValueError` for a result that `find` would not return for this identity.
        """
        if not _has(result, identity):
            raise ValueError(f"result {key!r} does not contain its identity {dict(identity)}")
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(key), result)


def _has(result: Result, identity: Identity) -> bool:
    """Whether the fields are equal as JSON, which has no tuples and whose keys are text."""
    return all(name in result and _plain(result[name]) == _plain(value) for name, value in identity.items())


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
