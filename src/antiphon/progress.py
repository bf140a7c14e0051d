"""Progress of long work: on stderr where that is a terminal, and to a listener."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

Listener = Callable[[str, int, int | None], None]
"""A function of the task, the number of items that are done, and the total where it is known."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def report_progress(listener: Listener) -> Iterator[None]:
    """Report the progress of the work inside a `with` block to a function.

    Parameters
    ----------
    listener
        Called in the same thread with the task, the number of items that are done, and the total or None. An exception
        that it raises stops the work.

    Examples
    --------
    >>> import antiphon
    >>> steps = []
    >>> notes = antiphon.open_corpus("demo").recordings[0].notes_path
    >>> with antiphon.report_progress(lambda task, done, total: steps.append((task, done, total))):
    ...     antiphon.Index.build(notes, "template", out="library").close()
    >>> steps
    [('indexing', 0, 1)]
    """
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def track(items: Iterable[Item], task: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items under a bar labelled `task`; `total` is needed where the items have no length."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        tell = _listener.get()
        for done, item in enumerate(bar.track(items, total=total, description=task)):
            if tell is not None:
                tell(task, done, total)
            yield item
