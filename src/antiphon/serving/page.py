"""The web page: files of a bundle that is built beside this module."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from antiphon.serving.errors import ServingError
from antiphon.serving.guard import COOKIE, UNAUTHORIZED, is_authorized, is_token

BUNDLE = Path(__file__).parent / "page"
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Antiphon</title>
<h1>The page has not been built</h1>
<p>This is a clone of the source: run <code>make web</code> there and load this page again.
The API works without it; <a href="/openapi.json">openapi.json</a> describes it.</p></html>
"""


def router(token: str | None, bundle: Path = BUNDLE) -> APIRouter:
    """`/` and the files beside it; only names that the bundle has are looked at."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    def page(request: Request) -> Response:
        given = request.query_params.get("token")
        if token is not None and given is not None and is_token(given, token):
            answer = RedirectResponse("/", 303)
            secure = request.url.scheme == "https"
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
            return answer
        if not is_authorized(request.headers, token):
            raise ServingError(401, "no_token", UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})
        if not (bundle / "index.html").is_file():
            return HTMLResponse(_MISSING, 503)
        return _fresh(bundle / "index.html")

    @routes.get("/{name:path}")
    def file(request: Request, name: str) -> Response:
        files = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
        if name not in files:
            if any(route.matches(request.scope)[0] is Match.PARTIAL for route in request.app.routes):
                raise HTTPException(405, "that can be sent to, not read")
            raise HTTPException(404, "there is nothing here")
        return _fresh(files[name])

    return routes


def _fresh(path: Path) -> FileResponse:
    """A file that browsers ask for again: its name stays the same in the next version."""
    return FileResponse(path, headers={"Cache-Control": "no-cache"})
