"""The limits of a server, and a gate that limits concurrency."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from antiphon.serving.errors import Busy

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Limits in bytes, seconds and counts. A request above them gets a 4xx status; excess load gets 503."""

    upload_bytes: int = 64 * MIB
    """Size of a request's body."""
    query_s: float = 600.0
    """Length of a query."""
    clip_s: float = 60.0
    """Length of the audio or notes in one response, in seconds of the file."""
    file_s: float = 2 * 3600.0
    """Length of a file that is added to the library."""
    notes: int = 200_000
    """Notes of an uploaded file."""
    clip_notes: int = 10_000
    """Notes of a rendered clip."""
    files: int = 100
    """Files of one request that adds files."""
    queue: int = 64
    """Waiting searches."""
    searches: int = 200
    """Stored searches with their uploads, including waiting ones."""
    searches_bytes: int = 2048 * MIB
    """Total size of the stored uploads."""
    keep_s: float = 30 * 60.0
    """Time for which a search is stored after its last change."""
    jobs: int = 8
    """Waiting jobs."""
    bodies: int = 64
    """Concurrent uploads."""
    listeners: int = 256
    """Concurrent event streams."""
    decode_s: float = 20.0
    """Time to read an uploaded file; a file that takes longer is refused."""
    decode_bytes: int = 3072 * MIB
    """Address space of a decoder process."""
    decoder_start_s: float = 120.0
    """Time for a decoder process to start, which does not count as reading time."""
    decoder_wait_s: float = 20.0
    """Time to wait for an idle decoder process."""
    clip_wait_s: float = 15.0
    """Time to wait for the renderer of clips."""
    align_wait_s: float = 30.0
    """Time to wait for another alignment of a match's notes."""
    body_s: float = 60.0
    """Time to wait for the next part of a request's body."""


class Gate:
    """Admits `concurrent` threads at a time; up to `waiting` further threads wait for at most `timeout_s` seconds."""

    def __init__(self, what: str, concurrent: int, waiting: int, timeout_s: float) -> None:
        self._what, self._timeout_s = what, timeout_s
        self._slots = threading.BoundedSemaphore(concurrent)
        self._admitted = threading.BoundedSemaphore(concurrent + waiting)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """A context that holds one slot. Raises `Busy` when too many threads wait or the wait is too long."""
        if not self._admitted.acquire(blocking=False):
            raise Busy(f"too many requests for {self._what} at the same time", 2.0)
        try:
            if not self._slots.acquire(timeout=self._timeout_s):
                raise Busy(f"waiting for {self._what} takes too long at present", 5.0)
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._admitted.release()
