"""CSV tables: those of users are read with one-line errors, results are written as text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
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


_FORMULA = ("=", "+", "-", "@")
_CONTROL = re.compile(r"[\s\x00-\x1f\x7f]+")


def plain_cell(text: str) -> str:
    """Text from a foreign file for a cell that a spreadsheet must not take for a formula: an apostrophe goes first.

    Controls and white space become one space.

    >>> plain_cell("=1+1"), plain_cell("\\t-3"), plain_cell("n12")
    ("'=1+1", "'-3", 'n12')
    """
    text = _CONTROL.sub(" ", text).strip()
    return f"'{text}" if text.startswith(_FORMULA) else text


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A CSV table with a header. A column that a row does not have is empty there.

    Raises `ValueError` for a row with any other column.

    >>> csv_text(["file", "start_s"], [{"file": "a.mid", "start_s": 1.5}, {"file": "b.mid"}])
    'file,start_s\\na.mid,1.5\\nb.mid,\\n'
    """
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
