"""Bytes of a text table → numbered rows of fields: encoding, comments, and splitting by a separator."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

SEPARATORS: tuple[str | None, ...] = ("\t", ";", "|", ",", None)
"""The order in which separators are tried; None is any white space."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 4096
_MOSTLY = 0.4  # of the bytes at even or at odd places: text in Latin letters has a zero in each unit of UTF-16
_COMMENT = re.compile(r"\s*(#+|//+|%+)\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f\x7f]")
_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Line:
    """A line that is not blank, with its number in the file, from 1; a comment without its marker."""

    number: int
    text: str
    is_comment: bool


@dataclass(frozen=True)
class Row:
    """The fields of a line, without spaces around them and without empty ones at the end."""

    number: int
    fields: list[str]


def decode(data: bytes, whole: bool = True) -> str:
    """The text of a table in UTF-8, UTF-16 or UTF-32, or else an encoding of one byte a letter.

    Where `data` is not the `whole` file, an incomplete letter and line at its end are dropped. Raises `ValueError` for
    other data than text.
    """
    encoding = _encoding_of(data)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise ValueError(f"it does not decode as {encoding.upper()}") from None
        text = data.decode("latin-1")  # numbers and separators are the same in all encodings of one byte a letter
    if found := _CONTROL.search(text.rstrip("\x00\x1a")):
        raise ValueError(f"it holds the control character {ord(found[0]):#04x}")
    return text if whole else text[: max(text.rfind("\n"), text.rfind("\r")) + 1]


def _encoding_of(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return encoding
    sample = data[:_SAMPLE_BYTES]
    half = max(1, len(sample) // 2)
    if sample[1::2].count(0) / half > _MOSTLY and not sample[::2].count(0):
        return "utf-16-le"
    if sample[::2].count(0) / half > _MOSTLY and not sample[1::2].count(0):
        return "utf-16-be"
    return "utf-8"


def lines_of(text: str) -> list[Line]:
    """The lines that are not blank.

    >>> [(line.number, line.text, line.is_comment) for line in lines_of("# onset\\n\\n0.5 1\\n")]
    [(1, 'onset', True), (3, '0.5 1', False)]
    """
    found = []
    for number, line in enumerate(_LINE_END.split(text), start=1):
        marker = _COMMENT.match(line)
        rest = line[marker.end() :] if marker else line
        if rest.strip('\x00\x1a \t\f\v,;|"'):
            found.append(Line(number, rest, marker is not None))
    return found


def rows_of(lines: list[Line], separator: str | None) -> Iterator[Row]:
    """Split lines into fields. Raises `csv.Error` for a field of more than 128 KB."""
    for line in lines:
        if separator is None:
            fields = [field.strip('"') for field in line.text.split()]
        else:
            # A quoted field does not continue on the next line, so that each line is a row.
            fields = next(csv.reader([line.text], delimiter=separator, skipinitialspace=True), [])
        fields = [field.strip() for field in fields]
        while fields and not fields[-1]:
            del fields[-1]
        yield Row(line.number, fields)
