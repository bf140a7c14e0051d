"""A pool of decoder processes, which read files for the server; see `antiphon.serving.decoder_worker`."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from antiphon.errors import UnreadableInput
from antiphon.serving.errors import Busy
from antiphon.serving.limits import Limits
from antiphon.serving.models import SHORTEST_QUERY_S
from antiphon.types import Modality

CLIP_RATE_HZ = 44_100
_MAX_CALLS = 2000  # then a new process starts, in case libraries leak memory
_THREADS = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


class _Decoder:
    """One decoder process. It starts at the first request and again after it has ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader: threading.Thread | None = None
        self._ready = False
        self._calls = 0

    def start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-P", "-m", "antiphon.serving.decoder_worker", str(self._limits.decode_bytes)]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **_THREADS},
            )
            assert self._process.stdout is not None
            self._lines = queue.Queue()
            # A thread, because not every system can wait for a pipe with a timeout.
            self._reader = threading.Thread(target=_read_lines, args=(self._process.stdout, self._lines), daemon=True)
            self._reader.start()
            self._ready, self._calls = False, 0
        return self._process

    def request(self, path: Path, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a request and wait for the response.

        Raises `UnreadableInput` when the file cannot be read, takes longer than `timeout_s`, or crashes the process;
        `Busy` when the process does not start.
        """
        process = self.start()
        self._await_start()
        self._calls += 1
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = self._lines.get(timeout=timeout_s)
        except (queue.Empty, OSError) as error:
            self.stop()
            cause = "reading it takes too long" if isinstance(error, queue.Empty) else "it cannot be read"
            raise UnreadableInput(path, f"{cause} (is the file damaged or malicious?)") from None
        if not line.endswith(b"\n"):
            self.stop()
            raise UnreadableInput(path, "it cannot be read: the decoder crashed (is the file damaged or malicious?)")
        if self._calls >= _MAX_CALLS:
            self.stop()
        response: dict[str, Any] = json.loads(line)
        if "reason" in response:
            raise UnreadableInput(path, response["reason"])
        return response

    def _await_start(self) -> None:
        if not self._ready:
            with suppress(queue.Empty):
                self._ready = self._lines.get(timeout=self._limits.decoder_start_s) == b"\n"
            if not self._ready:
                self.stop()
                raise Busy("the decoder process does not start", 5.0)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            assert self._reader is not None
            self._reader.join()
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()


def _read_lines(pipe: IO[bytes], lines: queue.Queue[bytes]) -> None:
    """Put every line in a queue, and an empty one at the end of the pipe."""
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(b"")


class Decoders:
    """Several decoder processes. Callers wait for an idle one. Every request raises `UnreadableInput` or `Busy`."""

    def __init__(self, limits: Limits, count: int = 2) -> None:
        self._limits = limits
        self._all = [_Decoder(limits) for _ in range(count)]
        self._idle: queue.Queue[_Decoder] = queue.Queue()
        for one in self._all:
            self._idle.put(one)

    def start(self) -> None:
        """Start the processes, so that the first upload does not wait for their start."""
        for one in self._all:
            one.start()

    def stop(self) -> None:
        for one in self._all:
            one.stop()

    def query(
        self, path: Path, kind: Modality, start_s: float, length_s: float | None, rate_hz: int, out: Path
    ) -> tuple[float, float]:
        """Check a query and write its audio to `out`. Returns the seconds of the file and of the stretch."""
        request = {
            "do": "query",
            "kind": kind,
            "start_s": start_s,
            "length_s": length_s,
            "rate_hz": rate_hz,
            "out": str(out),
            "least_s": SHORTEST_QUERY_S,
            "most_s": self._limits.query_s,
            "most_notes": self._limits.notes,
        }
        response = self._request(path, request, self._limits.decode_s)
        return response["duration_s"], response["length_s"]

    def clip(self, path: Path, start_s: float, length_s: float, out: Path) -> None:
        """Write a stretch of audio to `out`: WAV, mono, 16 bit."""
        request = {"do": "clip", "start_s": start_s, "length_s": length_s, "rate_hz": CLIP_RATE_HZ, "out": str(out)}
        self._request(path, request, self._limits.decode_s)

    def check(self, path: Path, kind: Modality, rate_hz: int) -> float:
        """Read a whole file and return its length in seconds."""
        request = {
            "do": "check",
            "kind": kind,
            "rate_hz": rate_hz,
            "most_s": self._limits.file_s,
            "most_notes": self._limits.notes,
        }
        return float(self._request(path, request, 3 * self._limits.decode_s)["duration_s"])

    def _request(self, path: Path, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        with self._acquired() as decoder:
            return decoder.request(path, request | {"path": str(path)}, timeout_s)

    @contextmanager
    def _acquired(self) -> Iterator[_Decoder]:
        try:
            decoder = self._idle.get(timeout=self._limits.decoder_wait_s)
        except queue.Empty:
            raise Busy("all decoder processes are busy", 5.0) from None
        try:
            yield decoder
        finally:
            self._idle.put(decoder)
