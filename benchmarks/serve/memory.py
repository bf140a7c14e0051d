"""Side effects of a running server: memory growth, and changes of files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serve.load import Query, time_search
from benchmarks.serve.server import Server

Result = dict[str, Any]
_LEAK_MIB = 50.0


def measure_memory(server: Server, queries: Sequence[Query], minutes: float) -> Result:
    """Run searches and clips for some minutes; compare the memory at the end with that after the first third.

    The first third does not count because caches are filling.
    """
    began = time.monotonic()
    points: list[tuple[float, float]] = []
    searches = 0
    with server.client() as client:
        ids = [one["id"] for one in client.get("/api/recordings", params={"limit": 500}).json()["items"]]
        while (now := time.monotonic() - began) < 60 * minutes:
            time_search(client, queries[searches % len(queries)])
            client.get(f"/api/recordings/{ids[searches % len(ids)]}/sound", params={"length_s": 20})
            searches += 1
            points.append((now, server.resident_mib()))
    seconds, memory = (np.array(column) for column in zip(*points, strict=True))
    later = seconds >= seconds[-1] / 3
    third = max(1, int(later.sum()) // 5)
    begin, end = float(np.median(memory[later][:third])), float(np.median(memory[later][-third:]))
    return {
        "minutes": minutes,
        "searches": searches,
        "mib": [round(float(value)) for value in np.interp(np.linspace(0, seconds[-1], 11), seconds, memory)],
        "after_a_third_mib": round(begin),
        "at_the_end_mib": round(end),
        "bar_mib": _LEAK_MIB,
        "met": end - begin <= _LEAK_MIB,
    }


class FileMonitor:
    """Detects changes in folders that must not change, and files with the name `canary`, which none may have."""

    def __init__(self, folders: Sequence[Path], canary: str) -> None:
        self._folders, self._canary = folders, canary
        self._before = self._state()

    def changed(self) -> list[str]:
        """Files that were created, deleted or changed since construction, and all files named after the canary."""
        after = self._state()
        names = {path for path in self._before.keys() | after.keys() if self._before.get(path) != after.get(path)}
        return sorted(names | {path for path in after if self._canary in path})

    def _state(self) -> dict[str, tuple[int, int]]:
        state = {}
        for folder in self._folders:
            for root, _, files in os.walk(folder):
                for name in files:
                    path = os.path.join(root, name)
                    try:
                        found = os.stat(path)
                    except OSError:
                        continue
                    state[path] = (found.st_size, found.st_mtime_ns)
        return state
