"""Files that are there whole or not at all, and what is in them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from antiphon.errors import UnreadableInput


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Write to the path this gives; it takes its real name when the block ends, and does not if the block fails."""
    aside = path.with_name(path.name + ".part")
    yield aside
    os.replace(aside, path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, whole or not at all."""
    with written_aside(path) as aside:
        aside.write_text(json.dumps(value, indent=1) + "\n")


def utf8_name(path: Path) -> str:
    """A path as text, which JSON, SQLite and libsndfile take. Raises `UnreadableInput` where it is not UTF-8."""
    try:
        return os.fsencode(path).decode()
    except UnicodeDecodeError:
        raise UnreadableInput(path, "its name is not UTF-8; rename it") from None


def content_hash(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, read piece by piece. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
