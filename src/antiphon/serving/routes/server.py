"""Routes about the server itself: what it serves, and counters."""

from __future__ import annotations

from fastapi import APIRouter, Response

from antiphon.serving import models
from antiphon.serving.errors import answers
from antiphon.serving.metrics import CONTENT_TYPE
from antiphon.serving.routes.common import ServiceOf
from antiphon.version import __version__

router = APIRouter(tags=["server"])


@router.get("/api/health", responses=answers())
async def health(service: ServiceOf) -> models.Health:
    """What is being served, and its limits."""
    limits = service.settings.limits
    return models.Health(
        status="ok",
        version=__version__,
        index=service.snapshot.counts,
        model=service.embedder.name,
        hours=round(service.snapshot.hours, 3),
        limits=models.HealthLimits(upload_bytes=limits.upload_bytes, query_s=limits.query_s, clip_s=limits.clip_s),
        uploads=service.settings.uploads,
    )


@router.get(
    "/metrics",
    responses=answers() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "text"}},
    response_class=Response,
)
async def metrics(service: ServiceOf) -> Response:
    """Counters for Prometheus."""
    return Response(service.metrics.as_text(), media_type=CONTENT_TYPE)
