"""Routes of the server itself: health and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response

from antiphon.serving import models
from antiphon.serving.errors import error_responses
from antiphon.serving.metrics import CONTENT_TYPE
from antiphon.serving.routes.common import ServiceOf
from antiphon.version import __version__

router = APIRouter(tags=["server"])


@router.get("/api/health", responses=error_responses())
async def health(service: ServiceOf) -> models.Health:
    """Get the served library and the limits of the server."""
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
    responses=error_responses()
    | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "text"}},
    response_class=Response,
)
async def metrics(service: ServiceOf) -> Response:
    """Get metrics for Prometheus."""
    return Response(service.metrics.as_text(), media_type=CONTENT_TYPE)
