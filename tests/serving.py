"""An in-process server for tests, and helper functions of its clients."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from starlette.testclient import TestClient

from antiphon.models.loading import load_model
from antiphon.rendering import make_renderer
from antiphon.serving.app import create_app
from antiphon.serving.clips import Clips
from antiphon.serving.decoder_pool import CLIP_RATE_HZ
from antiphon.serving.limits import Limits
from antiphon.serving.service import Service, Settings
from waiting import LIMIT_S, until

PATIENT = Limits(
    decode_s=LIMIT_S,
    decoder_start_s=LIMIT_S,
    decoder_wait_s=LIMIT_S,
    clip_wait_s=LIMIT_S,
    align_wait_s=LIMIT_S,
    body_s=LIMIT_S,
)
"""The default limits, with time limits that a busy machine does not reach."""


@contextmanager
def served(index: Path, bundle: Path | None = None, **settings: Any) -> Iterator[TestClient]:
    """A client of a running server that renders notes with the additive piano, which needs no SoundFont."""
    service = Service(Settings(index, **{"limits": PATIENT} | settings), load_model("template"))
    service.clips = Clips(
        service.settings.limits, service.decoders, service.temporary, lambda: make_renderer("additive", CLIP_RATE_HZ)
    )
    app = create_app(service) if bundle is None else create_app(service, bundle)
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def service_of(client: TestClient) -> Service:
    """The service behind a client."""
    return client.app.state.service  # type: ignore[attr-defined]


def recordings(client: TestClient, kind: str) -> list[dict[str, Any]]:
    """All recordings of a modality."""
    found = client.get("/api/recordings", params={"kind": kind, "limit": 500}).json()
    assert found["total"] == len(found["items"]) > 0
    return found["items"]


def start_search(client: TestClient, content: bytes, name: str, **options: Any) -> dict[str, Any]:
    """Upload a query; the search as in the response."""
    response = client.post("/api/searches", files={"file": (name, content)}, data=options)
    assert response.status_code == 202, response.text
    return response.json()


def finished(client: TestClient, path: str) -> dict[str, Any]:
    """Wait for the end of a search or a job, and return it."""

    def over() -> dict[str, Any] | None:
        found = client.get(path).json()
        return found if found["status"] in ("done", "failed") else None

    return until(over, f"the end of {path}")


def search(client: TestClient, content: bytes, name: str, **options: Any) -> dict[str, Any]:
    """Search with a file and wait for the end."""
    found = finished(client, f"/api/searches/{start_search(client, content, name, **options)['id']}")
    assert found["status"] == "done", found
    return found


def events_of(text: str) -> list[dict[str, Any]]:
    """The searches in a stream of events."""
    blocks = [block for block in text.split("\n\n") if block.startswith("event: search\n")]
    assert blocks
    return [json.loads(block.split("data: ", 1)[1]) for block in blocks]


def read_wav(content: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples and rate of a mono 16-bit WAV."""
    info = soundfile.info(io.BytesIO(content))
    assert (info.channels, info.format, info.subtype) == (1, "WAV", "PCM_16")
    return soundfile.read(io.BytesIO(content), dtype="float32")


def as_wav(samples: NDArray[np.float32], rate_hz: int) -> bytes:
    """Samples as a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV")
    return file.getvalue()


def refusal(response: Any, status: int, code: str) -> str:
    """Check status and code of an error response, and return its message."""
    assert response.status_code == status, (response.status_code, response.text[:300])
    found = response.json()
    assert set(found) == {"error", "code"}
    assert found["code"] == code
    assert len(found["error"]) > 10
    return found["error"]
