"""The searches of a server: a bounded queue, worker threads, and stored results.

The beginnings of long queries run before whole queries, so that every user gets first matches early.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from antiphon.errors import AntiphonError, UnreadableInput
from antiphon.models.protocol import Embedder
from antiphon.serving import models
from antiphon.serving.errors import Busy, Problem, ServingError, unusable
from antiphon.serving.limits import Limits
from antiphon.serving.metrics import Metrics
from antiphon.serving.notifications import Notifications
from antiphon.serving.search_requests import SearchRequest, answer, hints, shown
from antiphon.serving.snapshot import Snapshot

_log = logging.getLogger("antiphon.serving")
_OVER: frozenset[models.Status] = frozenset({"done", "failed"})
_USUAL_S = 0.5  # assumed time of a search before one has been measured


@dataclass(eq=False)
class StoredSearch:
    """A search in the server's memory, with the folder of its upload."""

    id: str
    search_request: SearchRequest
    folder: Path
    bytes: int
    stages: deque[models.Stage]
    status: models.Status = "queued"
    stage: models.Stage = "waiting"
    hits: list[models.Hit] = field(default_factory=list)
    hints: list[models.Hint] = field(default_factory=list)
    provisional: bool = False
    seconds: float = 0.0
    error: Problem | None = None
    changed: float = field(default_factory=time.monotonic)


class Searches:
    """Stores searches and runs them in `workers` threads. Thread-safe."""

    def __init__(
        self,
        limits: Limits,
        embedder: Embedder,
        snapshot: Callable[[], Snapshot],
        metrics: Metrics,
        temporary: Path,
        workers: int,
    ) -> None:
        self._limits, self._embedder, self._snapshot, self._metrics = limits, embedder, snapshot, metrics
        self._temporary = temporary
        self.changes = Notifications()
        self._held: dict[str, StoredSearch] = {}  # the oldest first
        self._waiting: deque[StoredSearch] = deque()
        self._wholes: deque[StoredSearch] = deque()  # the beginning of these is done
        self._reserved = 0
        self._usual_s = _USUAL_S
        self._stopping = False
        self._condition = threading.Condition()
        self._searching = 0
        self._threads = [threading.Thread(target=self._work, name=f"search-{n}") for n in range(workers)]
        metrics.watch_queue(lambda: len(self._waiting) + len(self._wholes))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the running searches and drop the waiting ones."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def reserve(self) -> Iterator[Path]:
        """Reserve a slot of the queue and a folder for an upload. Raises `Busy` when the queue is full.

        The folder is deleted at the end, unless `add` has taken it over.
        """
        with self._condition:
            queued = len(self._waiting) + len(self._wholes) + self._reserved
            if queued >= self._limits.queue:
                self._metrics.searches.labels("refused").inc()
                raise Busy(f"{queued} searches are waiting", queued * self._usual_s / len(self._threads))
            self._reserved += 1
        folder = self._temporary / secrets.token_hex(16)
        try:
            folder.mkdir()
            yield folder
        finally:
            with self._condition:
                self._reserved -= 1
                taken = any(held.folder == folder for held in self._held.values())
            if not taken:
                shutil.rmtree(folder, ignore_errors=True)

    def add(self, search_request: SearchRequest, folder: Path) -> models.Search:
        """Add a request to the queue. Its folder is kept until the search is deleted."""
        size = sum(path.stat().st_size for path in folder.iterdir())
        held = StoredSearch(secrets.token_urlsafe(16), search_request, folder, size, deque(search_request.stages))
        with self._condition:
            self._held[held.id] = held
            self._waiting.append(held)
            self._condition.notify()
            forgotten = self._surplus()
            found = self._shown(held)
        self._remove(forgotten)
        self.changes.notify()
        return found

    def get(self, id_: str) -> models.Search:
        """The state of a search. Raises `ServingError` 404 for an unknown one."""
        with self._condition:
            return self._shown(self._of(id_))

    def search_request(self, id_: str) -> SearchRequest:
        """The request of a search. Raises as `get` does."""
        with self._condition:
            return self._of(id_).search_request

    def forget(self, id_: str) -> None:
        """Delete a search and its upload. Raises as `get` does."""
        with self._condition:
            held = self._of(id_)
            self._drop(held)
        self._remove([held])
        self.changes.notify()

    def tidy(self) -> None:
        """Delete expired searches."""
        with self._condition:
            forgotten = self._surplus()
        self._remove(forgotten)

    def _of(self, id_: str) -> StoredSearch:
        if id_ not in self._held:
            kept = self._limits.keep_s / 60
            text = f"no such search; searches are kept for {kept:g} minutes, search again"
            raise ServingError(404, "gone", text)
        return self._held[id_]

    def _shown(self, held: StoredSearch) -> models.Search:
        ahead = 0
        if held.status == "queued":
            ahead = self._searching + next((n for n, one in enumerate(self._waiting) if one is held), 0)
        return models.Search(
            id=held.id,
            status=held.status,
            ahead=ahead,
            stage=held.stage,
            query=held.search_request.facts(),
            against=held.search_request.against,
            provisional=held.provisional,
            hits=held.hits,
            hints=held.hints,
            seconds=round(held.seconds, 3),
            error=held.error,
        )

    def _surplus(self) -> list[StoredSearch]:
        """Remove and return expired searches, and the oldest finished ones while there are too many."""
        over = [held for held in self._held.values() if held.status in _OVER]
        oldest_s = time.monotonic() - self._limits.keep_s
        surplus = []
        total = sum(held.bytes for held in self._held.values())
        for held in sorted(over, key=lambda one: one.changed):
            many = len(self._held) > self._limits.searches or total > self._limits.searches_bytes
            if held.changed < oldest_s or many:
                total -= held.bytes
                self._drop(held)
                surplus.append(held)
        return surplus

    def _drop(self, held: StoredSearch) -> None:
        del self._held[held.id]
        for line in (self._waiting, self._wholes):
            if held in line:
                line.remove(held)

    def _remove(self, forgotten: list[StoredSearch]) -> None:
        for held in forgotten:
            shutil.rmtree(held.folder, ignore_errors=True)

    def _work(self) -> None:
        # One PyTorch thread per worker: threads that share a core with other work mostly wait for each other.
        torch.set_num_threads(1)
        while (held := self._next()) is not None:
            self.changes.notify()
            began = time.monotonic()
            try:
                self._search(held)
            finally:
                with self._condition:
                    self._searching -= 1
                    held.changed = time.monotonic()
                    held.seconds += held.changed - began
                    self._usual_s += 0.1 * (held.changed - began - self._usual_s)
                    if held.status in _OVER:
                        self._metrics.searches.labels(held.status).inc()
                        self._metrics.search_seconds.observe(held.seconds)
                    elif held.id in self._held:
                        self._wholes.append(held)
                        self._condition.notify()
                self.changes.notify()

    def _next(self) -> StoredSearch | None:
        """The next search with its stage set; None when the server stops."""
        with self._condition:
            while not (self._waiting or self._wholes or self._stopping):
                self._condition.wait()
            if self._stopping:
                return None
            held = (self._waiting or self._wholes).popleft()
            held.status, held.stage = "running", held.stages.popleft()
            self._searching += 1
            return held

    def _search(self, held: StoredSearch) -> None:
        snapshot = self._snapshot()
        try:
            hits = list(shown(answer(held.search_request, held.stage, snapshot, self._embedder), snapshot))
            if not held.stages and not (hits and hits[0].likely):
                held.hints = hints(held.search_request, snapshot, self._embedder)
        except AntiphonError as error:
            gone = isinstance(error, UnreadableInput) and not held.search_request.searched_path.exists()
            problem = Problem(error="the query was deleted meanwhile; search again", code="gone") if gone else None
            held.error, held.status = problem or unusable(error).problem(), "failed"
        except Exception:
            _log.exception("a search failed")
            text = "internal error of the server, see its log; please report it"
            held.error, held.status = Problem(error=text, code="internal"), "failed"
        else:
            held.hits, held.provisional = hits, bool(held.stages)
            held.status = "running" if held.stages else "done"
