"""Progress of long work: on stderr where that is a terminal, and to whoever asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")

Listener = Callable[[str, int, int | None], None]
"""Is told what is being done, how many items are done, and of how many, where that is known."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def report_progress(listener: Listener) -> Iterator[None]:
    """Everything tracked inside tells the listener how far it is, in the same thread."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items under a bar labelled `what`; `total` is needed where the items have no length."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        tell = _listener.get()
        for done, item in enumerate(bar.track(items, total=total, description=what)):
            if tell is not None:
                tell(what, done, total)
            yield item
