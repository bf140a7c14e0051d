"""Rows of the table, and the measurement of their figures.

A figure is an amount of work divided by the best wall time of several calls after a warm-up. The calls of ours and of
the peers alternate, so that other load on the machine affects all of them equally. Ratios are therefore more stable
than the figures themselves.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

import torch

from antiphon.process_memory import resident_mib

SAMPLE_RATE_HZ = 24_000
_LEAST_S = 0.5  # short calls are repeated until they add up to this
_MOST_ROUNDS = 2000

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Call = Callable[[], Any]


@dataclass(frozen=True)
class Row:
    """One line of the table: `ours` and `theirs` in `unit`. None is a figure that was not measured."""

    what: str
    unit: str
    ours: float | None
    peer: str = ""
    theirs: float | None = None
    remark: str = ""

    @property
    def ratio(self) -> float | None:
        """Our figure divided by the peer's; None where one of them is missing."""
        return self.ours / self.theirs if self.ours and self.theirs else None


@dataclass(frozen=True)
class Effort:
    """How long to measure. `quick` takes one turn on little data, as a functional check."""

    quick: bool = False

    @property
    def repeats(self) -> int:
        return 1 if self.quick else 5

    def pick(self, full: int, quick: int) -> int:
        """`quick` or `full`, depending on the effort."""
        return quick if self.quick else full


@dataclass(frozen=True)
class Benchmark:
    """A named measurement that gives one or several rows."""

    name: str
    measure: Callable[[Effort], list[Row]]


@dataclass(frozen=True)
class Peer:
    """Another implementation of the same work: its call, and the Python packages that it needs."""

    name: str
    call: Call
    needs: tuple[str, ...] = field(default=())

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(package for package in self.needs if find_spec(package) is None)


def race(
    what: str,
    unit: str,
    amount: float,
    ours: Call,
    effort: Effort,
    peers: tuple[Peer, ...] = (),
    agree: Callable[[Any, Any], bool] = lambda ours, theirs: True,
) -> list[Row]:
    """Measure ours and the peers: one row per peer, or a single row. The figure is `amount` over the best wall time.

    `agree` compares our result with a peer's; a peer whose result differs is marked in its row.
    """
    present = [peer for peer in peers if not peer.missing]
    calls = {"": ours} | {peer.name: peer.call for peer in present}
    warm = {name: call() for name, call in calls.items()}
    differing = {peer.name for peer in present if not agree(warm[""], warm[peer.name])}
    del warm
    best = _best_seconds(calls, effort)
    own = amount / best[""]
    rows = []
    for peer in peers:
        if peer.missing:
            rows.append(Row(what, unit, own, peer.name, None, f"not installed: {', '.join(peer.missing)}"))
        else:
            remark = "results differ" if peer.name in differing else ""
            rows.append(Row(what, unit, own, peer.name, amount / best[peer.name], remark))
    return rows or [Row(what, unit, own)]


def _best_seconds(calls: Mapping[str, Call], effort: Effort) -> dict[str, float]:
    best = dict.fromkeys(calls, float("inf"))
    spent = dict.fromkeys(calls, 0.0)
    for done in range(_MOST_ROUNDS):
        if done >= effort.repeats and (effort.quick or min(spent.values()) >= _LEAST_S):
            break
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            elapsed_s = time.perf_counter() - began
            best[name] = min(best[name], elapsed_s)
            spent[name] += elapsed_s
    return best


def in_fresh_process(
    function: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> tuple[Result, float]:
    """Run a function in a new process: its result, and the peak resident memory of that process in MiB."""
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(torch.get_num_threads(),),
    ) as pool:
        result = pool.submit(function, *args, **kwargs).result()
        return result, pool.submit(resident_mib, "VmHWM").result()


class TooSlow(BaseException):
    """Raised in a block that takes longer than its `time_limit`; no `except Exception` in the block stops it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the block after so many seconds; in the main thread only."""

    def stop(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
