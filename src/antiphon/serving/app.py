"""The application: routes, errors and guard around a service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Response
from starlette.middleware import Middleware

from antiphon import __version__
from antiphon.serving import models, page
from antiphon.serving.errors import add_handlers, answers
from antiphon.serving.guard import Guard
from antiphon.serving.metrics import CONTENT_TYPE
from antiphon.serving.routes import library, searches
from antiphon.serving.routes.common import ServiceOf
from antiphon.serving.service import Service

_DESCRIPTION = """Which music of the library is this, from where to where, at what tempo, how sure? Times are seconds.
A failure is `{"error": "what is wrong and what to do", "code": "one_word"}` with its HTTP status."""


def create_app(service: Service, bundle: Path = page.BUNDLE) -> FastAPI:
    """An application that starts the service with itself, and stops it."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    settings = service.settings
    app = FastAPI(
        title="Antiphon",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=running,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(
                Guard, limits=settings.limits, metrics=service.metrics, token=settings.token, hosts=settings.hosts
            )
        ],
    )
    app.state.service = service
    add_handlers(app)

    @app.get("/api/health", tags=["server"], responses=answers())
    async def health(service: ServiceOf) -> models.Health:
        """What is being served, and its limits."""
        limits = service.settings.limits
        return models.Health(
            status="ok",
            version=__version__,
            index=service.holdings.counts,
            model=service.embedder.name,
            hours=round(service.holdings.hours, 3),
            limits=models.HealthLimits(upload_bytes=limits.upload_bytes, query_s=limits.query_s, clip_s=limits.clip_s),
            uploads=service.settings.uploads,
        )

    @app.get(
        "/metrics",
        tags=["server"],
        responses=answers() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "text"}},
        response_class=Response,
    )
    async def metrics(service: ServiceOf) -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.as_text(), media_type=CONTENT_TYPE)

    app.include_router(library.router)
    app.include_router(searches.router)
    app.include_router(page.router(settings.token, bundle))
    return app
