"""How much a server takes on, in one place; and a gate that keeps to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from antiphon.serving.errors import Busy

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bytes, seconds and counts. What exceeds them is refused: a request with 4xx, one too many with 503."""

    upload_bytes: int = 64 * MIB
    """Of a request's body."""
    query_s: float = 600.0
    """Of the stretch that a search asks with."""
    clip_s: float = 60.0
    """Of sound or notes in one answer, in seconds of the file."""
    file_s: float = 2 * 3600.0
    """Of a file that is added to the library."""
    notes: int = 200_000
    """In one file that is uploaded."""
    clip_notes: int = 10_000
    """In a clip that is rendered."""
    files: int = 100
    """In one request that adds files."""
    queue: int = 64
    """Searches that wait."""
    searches: int = 200
    """Searches held with their uploads, waiting ones among them."""
    searches_bytes: int = 2048 * MIB
    """Of the uploads held."""
    keep_s: float = 30 * 60.0
    """How long a search is held after it was last changed."""
    jobs: int = 8
    """Jobs that wait."""
    bodies: int = 64
    """Uploads that are being received at the same time."""
    listeners: int = 256
    """Event streams that are open at the same time."""
    decode_s: float = 20.0
    """To read an uploaded file; one that takes longer is refused."""
    decode_bytes: int = 3072 * MIB
    """Address space of a process that reads uploaded files."""
    decoder_start_s: float = 120.0
    """For such a process to start, which no file is to blame for."""
    decoder_wait_s: float = 20.0
    """To wait for such a process that is idle."""
    clip_wait_s: float = 15.0
    """To wait for the instrument that renders clips."""
    body_s: float = 60.0
    """To wait for the next part of a request's body."""


class Gate:
    """Lets `at_once` threads in; others wait for `patience_s`, `waiting` of them at most."""

    def __init__(self, what: str, at_once: int, waiting: int, patience_s: float) -> None:
        self._what, self._patience_s = what, patience_s
        self._places = threading.BoundedSemaphore(at_once)
        self._all = threading.BoundedSemaphore(at_once + waiting)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Inside for the block. Raises `Busy` when too many wait, or it has taken too long."""
        if not self._all.acquire(blocking=False):
            raise Busy(f"too many {self._what} are wanted at once", 2.0)
        try:
            if not self._places.acquire(timeout=self._patience_s):
                raise Busy(f"{self._what} take too long now", 5.0)
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._all.release()
