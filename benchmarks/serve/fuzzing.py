"""Hostile requests: invalid values for every parameter, broken files, file names that leave the folder.

Operations come from the server's OpenAPI document; Schemathesis, where installed, draws half of the requests. The only
server error allowed is 503, which means that the server is busy.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx2 as httpx
import numpy as np

from antiphon.progress import track
from benchmarks.serve.load import Query
from benchmarks.serve.server import Server

Result = dict[str, Any]
Item = TypeVar("Item")
_VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "2",
        "17",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e-320",
        "9" * 30,
        "9" * 5000,
        "0x10",
        "1_0",
        "\0",
    ),
    *(
        "true",
        "null",
        "[]",
        "{}",
        "audio",
        "notes",
        "../../etc/passwd",
        "%2e%2e%2f",
        "$(id)",
        "' OR 1=1 --",
        "é",
        "\u202e",
    ),
    *("x" * 300, "\ufeff", "<script>", "3.5", "20", "a%00b"),
)
NAMES = (
    *("a.wav", "a.mid", "a.flac", "a.mp3", "a.ogg", "a.m4a", "a.tsv", "a.opus", "a.mp4", "a.aiff", "a.w64", "a.WAV"),
    *("../../{canary}.wav", "..\\..\\{canary}.mid", "/{canary}.wav", "/tmp/{canary}.mid", "%2e%2e%2f{canary}.wav"),
    *(
        "$(touch {canary}).wav",
        "`touch {canary}`.mid",
        ";touch {canary};.wav",
        "|touch {canary}.wav",
        "a\0{canary}.wav",
    ),
    *("x" * 5000 + ".wav", ".wav", "wav", "", "con.wav", "-rf.wav", "{canary}.exe", "..", "a.wav/"),
)
_PATHS = (
    *(
        "/../{canary}",
        "/%2e%2e/%2e%2e/{canary}",
        "/..%2f..%2f{canary}",
        "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "//etc/passwd",
    ),
    *("/api/recordings/..%2f..%2fetc%2fpasswd/sound", "/app.js%00", "/api/../../{canary}", "/\\..\\..\\{canary}"),
    *(
        "/api/searches/..%2f..%2f{canary}/sound",
        "/api/jobs/%00",
        "/api/searches/" + "a" * 5000,
        "/%ff%fe",
        "/api//health",
    ),
)
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE")


class Fuzzer:
    """Draws requests with a seed. No file may ever get the name `canary`."""

    def __init__(self, server: Server, queries: Sequence[Query], canary: str, seed: int) -> None:
        self._server, self._queries, self._canary = server, queries, canary
        self._rng = np.random.default_rng(seed)
        with server.client() as client:
            self._paths: dict[str, dict[str, Any]] = client.get("/openapi.json").json()["paths"]
            self._known = [str(one["id"]) for one in client.get("/api/recordings").json()["items"]]
        self._searches: list[str] = []

    def run(self, count: int) -> Result:
        """Send `count` requests; count the status codes and list the server errors."""
        statuses: Counter[str] = Counter()
        faults: list[str] = []

        def record(status: int, request_line: str) -> None:
            statuses[str(status)] += 1
            if status >= 500 and status != 503:
                faults.append(f"{status} {request_line}"[:300])

        by_schema = count // 2 if importlib.util.find_spec("schemathesis") else 0
        with self._server.client() as client:
            for _ in track(range(count - by_schema), "fuzzing"):
                try:
                    request = self._draw(client)
                    answer = client.send(request)
                except (httpx.InvalidURL, ValueError, UnicodeError):
                    statuses["not sent"] += 1  # refused by the client
                    continue
                record(answer.status_code, f"{request.method} {request.url}")
                if answer.status_code == 202 and "/searches" in str(request.url):
                    self._searches.append(answer.json()["id"])
        if by_schema:
            _by_schema(self._server.url, by_schema, record)
        return {
            "requests": sum(statuses.values()),
            "by_schemathesis": by_schema,
            "statuses": dict(sorted(statuses.items())),
            "server_errors": faults,
            "met": not faults,
        }

    def _draw(self, client: httpx.Client) -> httpx.Request:
        drawn = self._rng.random()
        if drawn < 0.25:
            return self._upload(client)
        if drawn < 0.35:
            return client.build_request(self._pick(_METHODS), self._pick(_PATHS).format(canary=self._canary))
        if drawn < 0.4:
            kind = self._pick(
                ("application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/xml")
            )
            path = self._pick(("/api/searches", "/api/files", "/api/pairs"))
            return client.build_request("POST", path, content=self._bytes(), headers={"content-type": kind})
        return self._described(client)

    def _described(self, client: httpx.Client) -> httpx.Request:
        """An operation of the OpenAPI document with hostile parameters; path parameters are often valid."""
        path = self._pick(tuple(self._paths))
        method = self._pick(tuple(self._paths[path]))
        query: dict[str, str] = {}
        for parameter in self._paths[path][method].get("parameters", []):
            name = parameter["name"]
            if parameter["in"] == "path":
                known = self._known if "recordings" in path else (*self._searches[-20:], "0")
                value = self._pick(tuple(known)) if self._rng.random() < 0.7 else self._pick(_VALUES)
                path = path.replace(f"{{{name}}}", value or "x")
            elif self._rng.random() < 0.6:
                query[name] = self._pick(_VALUES)
        body = {"recording": self._pick((1, -1, 10**30, "1", None)), "top": self._pick((1, 0, "x", 1e308))}
        json = body if method == "post" and path.endswith("searches") else None
        return client.build_request(method.upper(), path, params=query, json=json)

    def _upload(self, client: httpx.Client) -> httpx.Request:
        adding = self._rng.random() < 0.2
        field, path = ("files", "/api/files") if adding else ("file", "/api/searches")
        name = self._pick(NAMES).format(canary=self._canary)
        options = {self._pick(("start_s", "length_s", "top", "against", "composer", "x")): self._pick(_VALUES)}
        data = options if self._rng.random() < 0.3 and not adding else {}
        return client.build_request("POST", path, files=[(field, (name, self._content()))], data=data)

    def _content(self) -> bytes:
        """Random bytes, random bytes after the header of a format, or a real file with changed bytes, truncated."""
        drawn = self._rng.random()
        if drawn < 0.4:
            return self._bytes()
        if drawn < 0.7:
            return (
                self._pick((b"RIFF\xff\xff\xff\x7fWAVEfmt ", b"fLaC", b"OggS", b"ID3", b"MThd\0\0\0\6")) + self._bytes()
            )
        content = bytearray(self._pick(tuple(self._queries)).content)
        for at in self._rng.integers(0, min(len(content), 2000), 12):
            content[at] = int(self._rng.integers(256))
        return bytes(content[: int(self._rng.integers(1, len(content) + 1))])

    def _bytes(self) -> bytes:
        return self._rng.bytes(int(self._rng.integers(0, 4000)))

    def _pick(self, values: Sequence[Item]) -> Item:
        return values[int(self._rng.integers(len(values)))]


def _by_schema(url: str, count: int, record: Any) -> None:
    """Send requests that Schemathesis draws, the same number for each operation."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    schema: Any = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations()]
    each = -(-count // len(operations))
    how = settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for operation in track(operations, "fuzzing by the schema"):

        @how
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            answer = case.call(timeout=120)
            record(answer.status_code, f"{case.method} {case.formatted_path}")

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            send()
