"""Progress of long work, reported to a listener. The command line's listener draws bars, the server's fills jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")

Listener = Callable[[str, int, int | None], None]
"""A callback that receives a task's name, how many of its items are done, and their total, None where unknown."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def report_progress(listener: Listener) -> Iterator[None]:
    """Report the progress of the work inside a `with` block to a function.

    Parameters
    ----------
    listener
        Called as `listener(task, done, total)` before each item of a task and once after the last. `total` is None
        where the number of items is not known; in the last call it equals `done`.

    Examples
    --------
    >>> import antiphon
    >>> from antiphon.progress import track
    >>> with antiphon.report_progress(lambda task, done, total: print(task, done, total)):
    ...     letters = list(track("ab", "reading"))
    reading 0 2
    reading 1 2
    reading 2 2
    """
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def track(items: Iterable[Item], task: str, total: int | None = None, unreported: int = 0) -> Iterator[Item]:
    """Yield the items and report each to the listener; `total` is needed where the items have no length.

    A task of at most `unreported` items is not reported at all.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    done = 0
    for item in items:
        if done >= unreported:
            _tell(task, done, total)
        yield item
        done += 1
    if done > unreported or not unreported:
        _tell(task, done, done)


def _tell(task: str, done: int, total: int | None) -> None:
    listener = _listener.get()
    if listener is not None:
        listener(task, done, total)
