"""Long work on the library, one job after the other in a thread of its own, with progress to ask for."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from antiphon.errors import AntiphonError
from antiphon.progress import report_progress
from antiphon.serving import models
from antiphon.serving.errors import Busy, Problem, ServingError, unusable
from antiphon.serving.limits import Limits

_log = logging.getLogger("antiphon.serving")
_KEPT = 200
_NICE = 10
_GOODBYE_S = 3.0

Work = Callable[[], models.JobResult]


@dataclass(eq=False)
class _Job:
    shown: models.Job
    work: Work


class Jobs:
    """Methods may be called from any thread; what a job tracks (`antiphon.progress`) is its progress."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held: dict[str, _Job] = {}
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Leave the job at work after a moment, as an index may be left at any; those behind it are not begun."""
        with self._lock:
            for job in self._held.values():
                if job.shown.status == "queued":
                    self._set(job, status="failed", error=Problem(error="the server was stopped", code="stopped"))
        self._waiting.put(None)
        self._thread.join(_GOODBYE_S)

    def add(self, kind: Literal["add", "pair"], work: Work) -> models.Job:
        """Put work in the queue. Raises `Busy` when it is full."""
        with self._lock:
            self.check_room()
            shown = models.Job(
                id=secrets.token_urlsafe(16),
                kind=kind,
                status="queued",
                done=0,
                total=0,
                message="waiting",
                error=None,
                result=None,
            )
            self._held[shown.id] = job = _Job(shown, work)
            over = [one.shown.id for one in self._held.values() if one.shown.status in ("done", "failed")]
            for id_ in over[: max(0, len(self._held) - _KEPT)]:
                del self._held[id_]
        self._waiting.put(job)
        return shown

    def check_room(self) -> None:
        """Raises `Busy` when the queue is full."""
        with self._lock:
            waiting = sum(job.shown.status == "queued" for job in self._held.values())
        if waiting >= self._limits.jobs:
            raise Busy(f"{waiting} jobs are waiting", 30.0)

    def get(self, id_: str) -> models.Job:
        """How a job stands. Raises `ServingError` 404."""
        if (job := self._held.get(id_)) is None:
            raise ServingError(404, "gone", f"this job is not held (any more); the last {_KEPT} are")
        return job.shown

    def unfinished(self, kind: str) -> models.Job | None:
        """A job of that kind that waits or runs."""
        with self._lock:
            shown = [job.shown for job in self._held.values() if job.shown.kind == kind]
        return next((job for job in shown if job.status in ("queued", "running")), None)

    def _set(self, job: _Job, **fields: object) -> None:
        job.shown = job.shown.model_copy(update=fields)  # readers keep the one they have

    def _work(self) -> None:
        _yield_to_searches()
        while (job := self._waiting.get()) is not None:
            if job.shown.status != "queued":
                continue

            def told(what: str, done: int, total: int | None, job: _Job = job) -> None:
                self._set(job, message=what, done=done, total=total or 0)

            self._set(job, status="running", message="starting")
            try:
                with report_progress(told):
                    result = job.work()
            except AntiphonError as error:
                self._set(job, status="failed", message="failed", error=unusable(error).problem())
            except Exception:
                _log.exception("a job failed")
                text = "the server made a mistake, which its log describes; please report it"
                self._set(job, status="failed", message="failed", error=Problem(error=text, code="internal"))
            else:
                self._set(job, status="done", message="done", done=job.shown.total, result=result)
            job.work = _nothing  # it holds on to the files it was given


def _nothing() -> models.JobResult:
    return models.JobResult()


def _yield_to_searches() -> None:
    """One thread of PyTorch's, at a lower priority: nobody waits for a job as for a search."""
    torch.set_num_threads(1)
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
