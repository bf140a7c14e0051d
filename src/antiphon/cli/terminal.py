"""The terminal of a command: messages, progress bars and log records go to stderr, results to stdout."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

from antiphon.errors import InputWarning
from antiphon.progress import report_progress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

stdout = Console(highlight=False)
console = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def progress_on_stderr() -> Iterator[None]:
    """Show log records, warnings of input files and, where stderr is a terminal, a bar for each task."""
    handler = _Messages(logging.INFO)
    logger = logging.getLogger("antiphon")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    bars = _Bars()
    try:
        with _input_warnings_on_stderr():
            if console.is_terminal:
                with report_progress(bars.update):
                    yield
            else:
                yield
    finally:
        bars.stop()
        logger.setLevel(level)
        logger.removeHandler(handler)


@contextmanager
def _input_warnings_on_stderr() -> Iterator[None]:
    """Print each `InputWarning` as one line; other warnings as Python does."""
    with warnings.catch_warnings():
        as_python_does = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if isinstance(message, InputWarning):
                console.print(f"warning: {message}", markup=False)
            else:
                as_python_does(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        warnings.simplefilter("default", InputWarning)  # each line once
        yield


class _Messages(logging.Handler):
    """Log records as plain lines on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        console.print(self.format(record), markup=False)


class _Bars:
    """One bar at a time, for the task reported last; it disappears when the task ends."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: str | None = None
        self._id: TaskID

    def update(self, task: str, done: int, total: int | None) -> None:
        """The listener for `report_progress`."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if task != self._task:
            self.stop()
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(*columns, console=console, transient=True)
            self._progress.start()
            self._task, self._id = task, self._progress.add_task(task, total=total)
        assert self._progress is not None
        self._progress.update(self._id, completed=done, total=total)
        if done == total:
            self.stop()

    def stop(self) -> None:
        """Remove the bar."""
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None
