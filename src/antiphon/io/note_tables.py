"""Tables of notes in seconds → `Notes`: MAPS, exports of Sonic Visualiser, label tracks, tables of one's own.

A table is text in columns, separated by tabs, commas, semicolons, bars or spaces. It has an onset, an offset or a
duration, and a pitch; `note_columns` knows the names. A velocity is optional.
"""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median
from typing import Literal

import numpy as np

from antiphon.errors import UnreadableInput, warn_input
from antiphon.io.note_columns import Columns, NoColumns, find_columns, from_hertz, to_number, to_pitch
from antiphon.io.notes import Notes
from antiphon.io.table_text import SEPARATORS, Line, Row, decode, lines_of, rows_of

DEFAULT_VELOCITY = 64
_HIGHEST = 127
_LONGEST_MEDIAN = 30.0  # whole numbers of which the median note is longer are not seconds
_NAMED_VELOCITY = "vel"
_LOOKED_AT = 20  # rows


class _Fault(Exception):
    """The reason why a table cannot be read."""


Likeness = Literal["notes", "faulty notes", "other table", "no text table"]


def likeness(head: bytes, whole: bool) -> Likeness:
    """Tell a table by the beginning of its file; faulty notes have two of the columns that a table of notes needs."""
    try:
        lines = lines_of(decode(head, whole))
        if not lines:
            return "no text table"
        columns, separator = _columns(lines)
        if isinstance(columns, NoColumns):
            return "faulty notes" if columns.known > 1 else "other table"
        rows = _rows(lines, separator)[columns.first :][:_LOOKED_AT]
    except (ValueError, csv.Error):
        return "no text table"
    # The labels of other tables have the names of pitches too, but not the values.
    are_pitches = [to_pitch(_field(columns, row, "pitch")) is not None for row in rows if "pitch" in columns.at]
    return "notes" if sum(are_pitches) * 2 >= len(are_pitches) else "other table"


def read_table(path: Path, data: bytes) -> Notes:
    """Read a table of notes. Raises `UnreadableInput`."""
    try:
        lines = lines_of(decode(data))
    except ValueError as error:
        raise UnreadableInput(path, f"not a text table ({error})") from None
    try:
        columns, separator = _columns(lines)
        if isinstance(columns, NoColumns):
            raise _Fault(columns.reason)
        notes, remarks = _notes(columns, _rows(lines, separator)[columns.first :])
    except csv.Error as error:
        raise UnreadableInput(path, f"not a text table ({error})") from None
    except (_Fault, ValueError) as error:
        raise UnreadableInput(path, str(error)) from None
    if remarks:
        warn_input(path, "; ".join(remarks))
    return notes


def _columns(lines: list[Line]) -> tuple[Columns | NoColumns, str | None]:
    """The columns and the separator that tells them; where none does, the reason of the one that tells most."""
    closest = NoColumns("it has no table with onset, offset and pitch"), SEPARATORS[0]
    for separator in SEPARATORS:
        if separator is not None and not any(separator in line.text for line in lines):
            continue
        found = find_columns(lines, separator)
        if isinstance(found, Columns):
            return found, separator
        if found.known > closest[0].known or closest[0].known == 0:
            closest = found, separator
    return closest


def _rows(lines: list[Line], separator: str | None) -> list[Row]:
    return list(rows_of([line for line in lines if not line.is_comment], separator))


def _notes(columns: Columns, rows: list[Row]) -> tuple[Notes, list[str]]:
    """The notes, and what was assumed. Raises `_Fault` with the line that is wrong."""
    remarks = []
    if columns.guessed:
        remarks.append(f"it has no header; its columns were taken to be {', '.join(columns.at)}")
    if not columns.guessed:
        _check_widths(columns, rows)
    _check_decimals(columns, rows)
    onset = _numbers(columns, rows, "onset")
    if "offset" in columns.at:
        end = _numbers(columns, rows, "offset")
    else:
        end = [begin + lasts for begin, lasts in zip(onset, _numbers(columns, rows, "duration"), strict=True)]
    for row, begin, stop in zip(rows, onset, end, strict=True):
        if stop < begin:
            raise _Fault(f"line {row.number}: the note ends before it begins (onset {begin:g}, offset {stop:g})")
    _check_seconds(onset, end)
    if "pitch" in columns.at:
        pitch = _pitches(columns, rows)
    else:
        pitch = [from_hertz(one) for one in _numbers(columns, rows, "frequency")]
        remarks.append(f"{columns.name('frequency')} is in Hz; the nearest notes were taken")
        _check_pitches(columns, rows, pitch, "frequency")
    velocity = _velocities(columns, rows, remarks)
    begin_s = np.array(onset, np.float64)
    return Notes.of(begin_s, np.array(end, np.float64) - begin_s, np.array(pitch, np.int64), velocity), remarks


def _check_widths(columns: Columns, rows: list[Row]) -> None:
    for row in rows:
        if len(row.fields) > len(columns.names):
            raise _Fault(
                f"line {row.number} has {len(row.fields)} values for {len(columns.names)} columns, "
                "so it is not clear which belongs to which"
            )


def _check_decimals(columns: Columns, rows: list[Row]) -> None:
    """Raise `_Fault` where some numbers have a decimal point and others a comma, which then may separate thousands."""
    used = [
        (row.number, row.fields[at])
        for row in rows
        for role, at in columns.at.items()
        if role != "pitch" and at < len(row.fields)
    ]
    commas = [one for one in used if "," in one[1]]
    if commas and any("." in text for _, text in used):
        raise _Fault(f"line {commas[0][0]} holds {commas[0][1]} with a comma, but other numbers have a decimal point")


def _check_seconds(onset: list[float], end: list[float]) -> None:
    lasts = [stop - begin for begin, stop in zip(onset, end, strict=True)]
    whole = all(one.is_integer() for one in (*onset, *end))
    if lasts and whole and median(lasts) > _LONGEST_MEDIAN:
        raise _Fault(
            f"its times are not seconds, since half of the notes would last over {median(lasts):g} s; "
            "give seconds, or name the columns onset_ms and offset_ms"
        )


def _field(columns: Columns, row: Row, role: str) -> str:
    at = columns.at[role]
    return row.fields[at] if at < len(row.fields) else ""


def _numbers(columns: Columns, rows: list[Row], role: str) -> list[float]:
    """A column as finite numbers; times in seconds."""
    found = []
    for row in rows:
        text = _field(columns, row, role)
        value = to_number(text)
        if value is None:
            what = f"{text!r}, no number," if text else "no number"
            raise _Fault(f"line {row.number} has {what} in {columns.name(role)}")
        if not np.isfinite(value):
            raise _Fault(f"line {row.number} has {text} in {columns.name(role)}, which is not finite")
        found.append(value * columns.scale.get(role, 1.0))
    return found


def _pitches(columns: Columns, rows: list[Row]) -> list[float]:
    """A column of MIDI numbers or note names."""
    found = []
    for row in rows:
        text = _field(columns, row, "pitch")
        value = to_pitch(text)
        if value is None:
            what = f"{text!r}, neither a MIDI number nor a note name," if text else "no pitch"
            raise _Fault(f"line {row.number} has {what} in {columns.name('pitch')}")
        if not value.is_integer():
            raise _Fault(f"line {row.number}: {columns.name('pitch')} holds {text}, not a whole number")
        found.append(value)
    _check_pitches(columns, rows, found, "pitch")
    return found


def _check_pitches(columns: Columns, rows: list[Row], pitch: list[float], role: str) -> None:
    for row, value in zip(rows, pitch, strict=True):
        if not 0 <= value <= _HIGHEST:
            text = _field(columns, row, role)
            hint = " (if it is in Hz, name it frequency)" if role == "pitch" and value > _HIGHEST else ""
            raise _Fault(f"line {row.number}: pitch {text} in {columns.name(role)} is outside 0–127{hint}")


def _velocities(columns: Columns, rows: list[Row], remarks: list[str]) -> np.ndarray:
    """Velocities as whole numbers. Those from 0 to 1 are scaled; where there are none, they are `DEFAULT_VELOCITY`."""
    default = np.full(len(rows), DEFAULT_VELOCITY, np.int64)
    if "velocity" not in columns.at:
        remarks.append(f"it has no velocities; {DEFAULT_VELOCITY} was taken")
        return default
    name = columns.name("velocity")
    try:
        values = np.array(_numbers(columns, rows, "velocity"), np.float64)
        outside = (values < 0) | (values > _HIGHEST)
        if outside.any():
            first = int(np.argmax(outside))
            raise _Fault(f"line {rows[first].number}: velocity {values[first]:g} in {name} is outside 0–127")
    except _Fault as fault:
        if columns.guessed or _NAMED_VELOCITY in columns.names[columns.at["velocity"]].lower():
            raise
        remarks.append(f"{fault}; {DEFAULT_VELOCITY} was taken for all velocities")  # loudness has other scales
        return default
    written_as_fraction = any(set(_field(columns, row, "velocity")) & set(".,eE") for row in rows)
    if len(values) and values.max() <= 1 and written_as_fraction:
        remarks.append(f"{name} lies between 0 and 1; it was multiplied by 127")
        values = values * _HIGHEST
    return np.rint(values).astype(np.int64)
