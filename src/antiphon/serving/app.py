"""The FastAPI application of a service: routes, error handlers, middleware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from antiphon.serving import page
from antiphon.serving.errors import add_error_handlers
from antiphon.serving.middleware import AccessMiddleware
from antiphon.serving.routes import library, searches, server
from antiphon.serving.service import Service
from antiphon.version import __version__

_DESCRIPTION = """Search a library of audio and note files with audio or notes: file, position, tempo and confidence.
Times are seconds. An error is `{"error": "cause and remedy", "code": "one_word"}` with its HTTP status."""


def create_app(service: Service, bundle: Path = page.BUNDLE) -> FastAPI:
    """An application that starts the service at its start-up and stops it at its shutdown."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    settings = service.settings
    access = Middleware(
        AccessMiddleware, limits=settings.limits, metrics=service.metrics, token=settings.token, hosts=settings.hosts
    )
    app = _api(lifespan=running, middleware=[access])
    app.state.service = service
    app.include_router(page.router(settings.token, bundle))
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of the API, as served at `/openapi.json`. The types of the page are generated from it."""
    return _api().openapi()


def _api(**how: Any) -> FastAPI:
    app = FastAPI(
        title="Antiphon",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # they load scripts from other hosts
        redoc_url=None,
        **how,
    )
    add_error_handlers(app)
    for routes in (server, library, searches):
        app.include_router(routes.router)
    return app
