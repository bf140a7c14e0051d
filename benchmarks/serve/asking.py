"""Searches as people make them: one after the other, and many at once."""

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
FIRST_HIT_BAR_S, MANY_BAR_S = 1.0, 6.0


@dataclass(frozen=True)
class Query:
    """A file to be dropped on the page."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Asked:
    """Seconds from sending to the first event with hits and to the end; how it ended."""

    first_s: float
    done_s: float
    status: str
    likely: bool


def cut_queries(files: Sequence[Path], length_s: float, folder: Path) -> list[Query]:
    """The middle of each file: sound as FLAC of `length_s`; note files as they are."""
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


def ask(client: httpx.Client, query: Query) -> Asked:
    """Send a query and watch it to its end."""
    began = time.monotonic()
    answer = client.post("/api/searches", files={"file": (query.name, query.content)})
    if answer.status_code != 202:
        return Asked(np.nan, time.monotonic() - began, f"{answer.status_code}", False)
    first_s, found = np.nan, answer.json()
    with client.stream("GET", f"/api/searches/{found['id']}/events") as events:
        for line in events.iter_lines():
            if line.startswith("data: "):
                found = json.loads(line.removeprefix("data: "))
                if found["hits"] and np.isnan(first_s):
                    first_s = time.monotonic() - began
    likely = bool(found["hits"] and found["hits"][0]["likely"])
    return Asked(first_s, time.monotonic() - began, found["status"], likely)


def measure_first_hit(server: Server, queries: Sequence[Query], turns: int) -> Result:
    """One after the other."""
    with server.client() as client:
        asked = [ask(client, queries[turn % len(queries)]) for turn in range(turns)]
    return _summary(asked, "first_s", FIRST_HIT_BAR_S)


def measure_many(server: Server, queries: Sequence[Query], users: int, turns: int) -> Result:
    """So many people at the same moment, each `turns` times."""
    asked: list[Asked] = []
    barrier = threading.Barrier(users)

    def person(number: int) -> None:
        with server.client() as client:
            barrier.wait()
            asked.extend(ask(client, queries[(number + turn) % len(queries)]) for turn in range(turns))

    people = [threading.Thread(target=person, args=(number,)) for number in range(users)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return {"users": users} | _summary(asked, "done_s", MANY_BAR_S)


def _summary(asked: Sequence[Asked], what: str, bar_s: float) -> Result:
    seconds = np.array([getattr(one, what) for one in asked])
    failed = [one.status for one in asked if one.status != "done" or np.isnan(one.first_s)]
    p50, p95 = (round(float(np.nanquantile(seconds, q)), 3) for q in (0.5, 0.95))
    first_p95 = round(float(np.nanquantile([one.first_s for one in asked], 0.95)), 3)
    return {
        "searches": len(asked),
        "failures": failed,
        "likely": sum(one.likely for one in asked),
        "p50_s": p50,
        "p95_s": p95,
        "first_hit_p95_s": first_p95,
        "most_s": round(float(np.nanmax(seconds)), 3),
        "bar_s": bar_s,
        "met": not failed and p95 <= bar_s,
    }
