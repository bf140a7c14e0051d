"""Long work on the library: a queue of jobs with progress, run one after the other in a separate thread."""

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
_KEPT_JOBS = 200
_NICE = 10
_STOP_TIMEOUT_S = 3.0

Work = Callable[[], models.JobResult]


@dataclass(eq=False)
class _Job:
    state: models.Job
    work: Work


class Jobs:
    """The queue of jobs; thread-safe. The progress of a job is what it reports to `antiphon.progress`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: dict[str, _Job] = {}
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Fail the waiting jobs, and wait briefly for the running one. An index survives an interrupted job."""
        with self._lock:
            for job in self._jobs.values():
                if job.state.status == "queued":
                    self._set(job, status="failed", error=Problem(error="the server was stopped", code="stopped"))
        self._waiting.put(None)
        self._thread.join(_STOP_TIMEOUT_S)

    def add(self, kind: Literal["add", "pair"], work: Work) -> models.Job:
        """Add work to the queue. Raises `Busy` when the queue is full."""
        with self._lock:
            self.check_room()
            state = models.Job(
                id=secrets.token_urlsafe(16),
                kind=kind,
                status="queued",
                done=0,
                total=0,
                message="waiting",
                error=None,
                result=None,
            )
            self._jobs[state.id] = job = _Job(state, work)
            finished = [one.state.id for one in self._jobs.values() if one.state.status in ("done", "failed")]
            for id_ in finished[: max(0, len(self._jobs) - _KEPT_JOBS)]:
                del self._jobs[id_]
        self._waiting.put(job)
        return state

    def check_room(self) -> None:
        """Raises `Busy` when the queue is full."""
        with self._lock:
            waiting = sum(job.state.status == "queued" for job in self._jobs.values())
        if waiting >= self._limits.jobs:
            raise Busy(f"{waiting} jobs are waiting", 30.0)

    def get(self, id_: str) -> models.Job:
        """The state of a job. Raises `ServingError` 404 for an unknown one."""
        if (job := self._jobs.get(id_)) is None:
            raise ServingError(404, "gone", f"no such job; the server keeps the last {_KEPT_JOBS} jobs")
        return job.state

    def unfinished(self, kind: str) -> models.Job | None:
        """A waiting or running job of that kind, or None."""
        with self._lock:
            states = [job.state for job in self._jobs.values() if job.state.kind == kind]
        return next((state for state in states if state.status in ("queued", "running")), None)

    def _set(self, job: _Job, **fields: object) -> None:
        job.state = job.state.model_copy(update=fields)  # a copy: readers keep their state

    def _work(self) -> None:
        _lower_priority()
        while (job := self._waiting.get()) is not None:
            if job.state.status != "queued":
                continue

            def update(task: str, done: int, total: int | None, job: _Job = job) -> None:
                self._set(job, message=task, done=done, total=total or 0)

            self._set(job, status="running", message="starting")
            try:
                with report_progress(update):
                    result = job.work()
            except AntiphonError as error:
                self._set(job, status="failed", message="failed", error=unusable(error).problem())
            except Exception:
                _log.exception("a job failed")
                text = "internal error of the server, see its log; please report it"
                self._set(job, status="failed", message="failed", error=Problem(error=text, code="internal"))
            else:
                self._set(job, status="done", message="done", done=job.state.total, result=result)
            job.work = _no_work  # release the files that the closure refers to


def _no_work() -> models.JobResult:
    return models.JobResult()


def _lower_priority() -> None:
    """Use one PyTorch thread at a lower priority, because searches are more urgent than jobs."""
    torch.set_num_threads(1)
    if sys.platform == "linux":  # where threads have separate priorities
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
