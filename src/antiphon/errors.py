"""Errors that a user can correct: each is one line with the value, the limit and the likely cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

Entry = TypeVar("Entry")


class AntiphonError(Exception):
    """Base class of every expected failure. The command line prints its message and exits with code 2.

    Examples
    --------
    >>> import antiphon
    >>> try:
    ...     antiphon.load_model("no such model")
    ... except antiphon.AntiphonError as error:
    ...     print(str(error).split(":")[0])
    no such model
    """


class UnreadableInput(AntiphonError):
    """A file that cannot be used, with the reason.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        One line.

    Examples
    --------
    >>> from antiphon import UnreadableInput
    >>> print(UnreadableInput("take1.mid", "the file is empty (0 bytes)"))
    take1.mid: the file is empty (0 bytes)
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        # A file name whose bytes are not UTF-8 can be neither printed nor written as JSON.
        super().__init__(f"{path}: {reason}".encode(errors="backslashreplace").decode())

    def __reduce__(self) -> tuple[type[UnreadableInput], tuple[Path, str]]:
        return type(self), (self.path, self.reason)  # it is sent between processes


class MissingDecoder(UnreadableInput):
    """A file that an optional decoder, which is not installed, may be able to read.

    Examples
    --------
    >>> from antiphon import MissingDecoder, UnreadableInput
    >>> issubclass(MissingDecoder, UnreadableInput)
    True
    """


class UnknownName(AntiphonError):
    """A name that is not in a table; the message gives the most similar names.

    Examples
    --------
    >>> from antiphon import UnknownName
    >>> print(UnknownName("arm", "d4a5", ["D0", "D4", "d4a4"]))
    unknown arm 'd4a5'; did you mean 'd4a4'? (known: D0, D4, d4a4)
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = list(known)
        near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(known)})")


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry of that name. Raises `UnknownName`."""
    if name not in table:
        raise UnknownName(kind, name, table)
    return table[name]
