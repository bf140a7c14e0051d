"""Searches of simulated users: consecutive ones, and concurrent ones."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import soundfile

from antiphon.index.query import kind_of
from antiphon.io.audio import read_samples
from benchmarks.serve.server import Server

Result = dict[str, Any]
_RATE_HZ = 44_100
FIRST_MATCH_BAR_S, CONCURRENT_BAR_S = 1.0, 6.0


@dataclass(frozen=True)
class Query:
    """A file to upload."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Timing:
    """Seconds from the upload to the first event with matches and to the end, and the final status."""

    first_s: float
    done_s: float
    status: str
    likely: bool


def cut_queries(files: Sequence[Path], length_s: float, folder: Path) -> list[Query]:
    """The queries: the middle `length_s` of each audio file as FLAC, and whole note files."""
    folder.mkdir(parents=True, exist_ok=True)
    queries = []
    for number, file in enumerate(files):
        if kind_of(file) == "notes":
            queries.append(Query(file.name, file.read_bytes()))
            continue
        found_s = soundfile.info(str(file)).duration
        samples = read_samples(file, _RATE_HZ, max(0.0, (found_s - length_s) / 2), length_s)
        path = folder / f"query-{number}.flac"
        soundfile.write(path, samples, _RATE_HZ)
        queries.append(Query(path.name, path.read_bytes()))
    return queries


def time_search(client: httpx.Client, query: Query) -> Timing:
    """Upload a query and follow its events to the end."""
    began = time.monotonic()
    answer = client.post("/api/searches", files={"file": (query.name, query.content)})
    if answer.status_code != 202:
        return Timing(np.nan, time.monotonic() - began, f"{answer.status_code}", False)
    first_s, found = np.nan, answer.json()
    with client.stream("GET", f"/api/searches/{found['id']}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                found = json.loads(line.removeprefix("data: "))
                if found["hits"] and np.isnan(first_s):
                    first_s = time.monotonic() - began
    likely = bool(found["hits"] and found["hits"][0]["likely"])
    return Timing(first_s, time.monotonic() - began, found["status"], likely)


def measure_first_match(server: Server, queries: Sequence[Query], turns: int) -> Result:
    """Time to the first match over `turns` consecutive searches."""
    with server.client() as client:
        timings = [time_search(client, queries[turn % len(queries)]) for turn in range(turns)]
    return _summary(timings, "first_s", FIRST_MATCH_BAR_S)


def measure_concurrent(server: Server, queries: Sequence[Query], users: int, turns: int) -> Result:
    """Time of whole searches while `users` search at the same time, `turns` times each."""
    timings: list[Timing] = []
    barrier = threading.Barrier(users)

    def user(number: int) -> None:
        with server.client() as client:
            barrier.wait()
            timings.extend(time_search(client, queries[(number + turn) % len(queries)]) for turn in range(turns))

    threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"users": users} | _summary(timings, "done_s", CONCURRENT_BAR_S)


def _summary(timings: Sequence[Timing], field: str, bar_s: float) -> Result:
    seconds = np.array([getattr(one, field) for one in timings])
    failed = [one.status for one in timings if one.status != "done" or np.isnan(one.first_s)]
    p50, p95 = (round(float(np.nanquantile(seconds, q)), 3) for q in (0.5, 0.95))
    first_p95 = round(float(np.nanquantile([one.first_s for one in timings], 0.95)), 3)
    return {
        "searches": len(timings),
        "failures": failed,
        "likely": sum(one.likely for one in timings),
        "p50_s": p50,
        "p95_s": p95,
        "first_hit_p95_s": first_p95,
        "most_s": round(float(np.nanmax(seconds)), 3),
        "bar_s": bar_s,
        "met": not failed and p95 <= bar_s,
    }
