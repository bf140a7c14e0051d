"""Metrics of a server for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0)


class Metrics:
    """Counters of one server; several servers in one process do not share them."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory, open files, processor seconds
        self.requests = Counter(
            "antiphon_requests", "Requests served", ["method", "route", "status"], registry=self._registry
        )
        self.searches = Counter("antiphon_searches", "Searches by outcome", ["outcome"], registry=self._registry)
        self.search_seconds = Histogram(
            "antiphon_search_seconds", "Seconds of work on a search", buckets=_SECONDS, registry=self._registry
        )
        self._queue = Gauge("antiphon_queue_length", "Waiting searches", registry=self._registry)

    def watch_queue(self, length: Callable[[], int]) -> None:
        """Set the function that gives the length of the queue."""
        self._queue.set_function(length)

    def as_text(self) -> bytes:
        return generate_latest(self._registry)
