"""The application: routes, errors and guard around a service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from antiphon.serving import page
from antiphon.serving.errors import add_handlers
from antiphon.serving.middleware import AccessMiddleware
from antiphon.serving.routes import library, searches, server
from antiphon.serving.service import Service
from antiphon.version import __version__

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
    guard = Middleware(
        AccessMiddleware, limits=settings.limits, metrics=service.metrics, token=settings.token, hosts=settings.hosts
    )
    app = _api(lifespan=running, middleware=[guard])
    app.state.service = service
    app.include_router(page.router(settings.token, bundle))
    return app


def openapi_document() -> dict[str, Any]:
    """The OpenAPI description of the API, as `/openapi.json` gives it; the page's types are generated from it."""
    return _api().openapi()


def _api(**how: Any) -> FastAPI:
    app = FastAPI(
        title="Antiphon",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        **how,
    )
    add_handlers(app)
    for routes in (server, library, searches):
        app.include_router(routes.router)
    return app
