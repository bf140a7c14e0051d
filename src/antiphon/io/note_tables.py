"""Tables of notes in seconds → `Notes`: MAPS-style, with the columns `onset,offset,note,velocity`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.errors import UnreadableInput
from antiphon.io.notes import Notes

_TSV_COLUMNS = ("onset", "offset", "note", "velocity")


def read_table(path: Path) -> Notes:
    """Read a table of notes. Raises `UnreadableInput`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UnreadableInput(path, f"it cannot be opened ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UnreadableInput(path, "not a text table (it does not decode as UTF-8)") from None
    rows = [line.lstrip("# ").replace("\t", ",").split(",") for line in lines if line.strip()]
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in _TSV_COLUMNS if name not in header]
    if missing:
        raise UnreadableInput(path, f"no column {', '.join(missing)}; a note table needs {', '.join(_TSV_COLUMNS)}")
    columns: dict[str, list[float]] = {name: [] for name in _TSV_COLUMNS}
    for number, row in enumerate(rows[1:], start=2):
        for name in _TSV_COLUMNS:
            try:
                columns[name].append(float(row[header.index(name)]))
            except (IndexError, ValueError):
                raise UnreadableInput(path, f"row {number} has no number in column {name}") from None
    onset = np.array(columns["onset"])
    for name in ("note", "velocity"):
        if broken := [value for value in columns[name] if not value.is_integer()]:
            raise UnreadableInput(path, f"column {name} holds {broken[0]:g}, not a whole number")
    try:
        return Notes.of(
            onset,
            np.array(columns["offset"]) - onset,
            np.array(columns["note"]).astype(np.int64),
            np.array(columns["velocity"]).astype(np.int64),
        )
    except ValueError as error:
        raise UnreadableInput(path, str(error)) from None
