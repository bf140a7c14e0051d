"""Errors that a user can correct: each is one line with the value, the limit and the likely cause.

A file that can be used in part, or with a guess, is an `InputWarning`.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TypeVar

from antiphon.wording import printable

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
        super().__init__(_one_line(path, reason))

    def __reduce__(self) -> tuple[type[UnreadableInput], tuple[Path, str]]:
        return type(self), (self.path, self.reason)  # it is sent between processes


class InputWarning(UserWarning):
    """A file that is used, but not whole or not as it states, with the reason.

    The command line prints it as one line; an index build collects it in its report.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        One line.

    Examples
    --------
    >>> from antiphon import InputWarning
    >>> print(InputWarning("take1.wav", "it ends after 3.2 s of 5.0 s"))
    take1.wav: it ends after 3.2 s of 5.0 s
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(_one_line(path, reason))

    def __reduce__(self) -> tuple[type[InputWarning], tuple[Path, str]]:
        return type(self), (self.path, self.reason)


_collected: ContextVar[list[InputWarning] | None] = ContextVar("_collected", default=None)


def warn_input(path: str | Path, reason: str) -> None:
    """Issue an `InputWarning` for a file, or add it to the list of `collect_input_warnings`."""
    collected = _collected.get()
    if collected is None:
        warnings.warn(InputWarning(path, reason), stacklevel=2)
    elif str(InputWarning(path, reason)) not in map(str, collected):  # a file may be read several times
        collected.append(InputWarning(path, reason))


@contextmanager
def collect_input_warnings(into: list[InputWarning] | None = None) -> Iterator[list[InputWarning]]:
    """Collect what `warn_input` issues in this thread inside the block, each line once."""
    collected = [] if into is None else into
    before = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(before)


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


def _one_line(path: str | Path, reason: str) -> str:
    return printable(f"{path}: {reason}")


def look_up(kind: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry of that name. Raises `UnknownName`."""
    if name not in table:
        raise UnknownName(kind, name, table)
    return table[name]
