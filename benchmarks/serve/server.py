"""A server in a separate process, and the memory of that process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

from antiphon.errors import AntiphonError


@dataclass(frozen=True)
class Server:
    """URL, process id, and folder of temporary files of a running server."""

    url: str
    process: int
    temporary: Path

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=120.0)

    def resident_mib(self) -> float:
        """Resident memory of the server and its child processes in MiB. Raises `AntiphonError` where it has ended."""
        total = 0.0
        for process in (self.process, *_children(self.process)):
            try:
                status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
            except OSError:
                continue
            total += sum(int(found) for found in re.findall(r"VmRSS:\s+(\d+) kB", status)) / 1024
        if not total:
            raise AntiphonError("the server has ended; see its output")
        return total


def _children(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(one) for one in found.read_text(encoding="utf-8").split()] if found.exists() else []


@contextmanager
def started(index: Path, temporary: Path, *words: str) -> Iterator[Server]:
    """Serve an index on a free port. Raises `AntiphonError` where the server does not start."""
    temporary.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "antiphon", "serve", "--index", str(index), "--port", "0", *words]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            if "http://" not in line:
                raise AntiphonError(f"the server does not start: {line.strip() or 'it has ended'}")
            yield Server(line.split()[-1].rstrip("/"), process.pid, temporary)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
