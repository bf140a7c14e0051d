"""Shared parts of the routes: the application's service, and the parameters of a range."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from antiphon.serving.models import LONGEST_FILE_S
from antiphon.serving.service import Service

WAV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}, "description": "WAV"}
}
"""OpenAPI description of a clip."""


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
Id = Annotated[str, Path(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Start = Annotated[
    float,
    Query(ge=0, le=LONGEST_FILE_S, allow_inf_nan=False, description="Start of the range, in seconds of the file."),
]
Length = Annotated[
    float | None,
    Query(
        ge=0.01,
        le=LONGEST_FILE_S,
        allow_inf_nan=False,
        description="Length in seconds of the file. By default up to its end or the longest allowed length.",
    ),
]
Tempo = Annotated[
    float,
    Query(
        ge=0.25,
        le=4,
        allow_inf_nan=False,
        description="Seconds of the file per second of audio. Must be 1 for audio files.",
    ),
]


def as_wav(content: bytes) -> Response:
    """A clip as a response."""
    return Response(content, media_type="audio/wav")
