"""CSV tables written by users, with one-line errors."""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from antiphon.errors import UnreadableInput


def read_csv(path: Path, what: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Read a UTF-8 CSV with a header: one dictionary per row, column → text, with None where a row has no value.

    `what` names the kind of table in messages. Raises `UnreadableInput` when the file cannot be opened, is not CSV, or
    lacks one of `columns`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, found = list(reader), list(reader.fieldnames or [])
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInput(path, f"not a {what} ({type(error).__name__}: {error})") from None
    check_columns(path, what, columns, found)
    return rows


def check_columns(path: Path, what: str, columns: Sequence[str], found: Collection[str]) -> None:
    """Raises `UnreadableInput` when a table lacks one of `columns`."""
    if missing := [name for name in columns if name not in found]:
        raise UnreadableInput(path, f"no column {', '.join(missing)}; a {what} has {', '.join(columns)}")
