"""Errors that are the user's to mend: each is one line that states the value, the limit and the likely cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

Entry = TypeVar("Entry")


class AntiphonError(Exception):
    """Base of every expected failure; the command line prints it without a traceback and exits 2."""


class UnreadableInput(AntiphonError):
    """One file that cannot be used, with the reason.

    >>> print(UnreadableInput("take1.mid", "the file is empty (0 bytes)"))
    take1.mid: the file is empty (0 bytes)
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        # A file name whose bytes are not UTF-8 could neither be printed nor go into JSON as it is.
        super().__init__(f"{path}: {reason}".encode(errors="backslashreplace").decode())

    def __reduce__(self) -> tuple[type[UnreadableInput], tuple[Path, str]]:
        return type(self), (self.path, self.reason)  # processes send it to each other


class MissingDecoder(UnreadableInput):
    """A file that something which is not installed might read."""


class UnknownName(AntiphonError):
    """A name that is not in a table, with the nearest that are.

    >>> print(UnknownName("arm", "d4a5", ["D0", "D4", "d4a4"]))
    unknown arm 'd4a5'; did you mean 'd4a4'? (known: D0, D4, d4a4)
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = list(known)
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(known)})")


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry of that name. Raises `UnknownName`, which names the nearest."""
    if name not in table:
        raise UnknownName(kind, name, table)
    return table[name]
