"""The web page: routes to the files of the bundle, which is built into the folder `page` of this package."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from antiphon.serving.errors import ServingError
from antiphon.serving.middleware import COOKIE, UNAUTHORIZED, is_authorized, is_token

BUNDLE = Path(__file__).parent / "page"
MISSING = """This installation has no web page: Node 18 or newer with npm was not available when it was built.
Install both. Then, in a clone of the source, run: make web
Otherwise install Antiphon again: pip install --force-reinstall --no-deps --no-cache-dir SOURCE
The API works without the page."""
_MISSING_PAGE = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Antiphon</title>
<h1>The page is missing</h1>
<pre>{MISSING}</pre>
<p><a href="/openapi.json">openapi.json</a> describes the API.</p></html>
"""


def is_bundled(bundle: Path = BUNDLE) -> bool:
    """Whether the bundle of the page exists."""
    return (bundle / "index.html").is_file()


def router(token: str | None, bundle: Path = BUNDLE) -> APIRouter:
    """Routes for `/` and the other files of the bundle. Only names that occur in the bundle are served."""
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
        if not is_bundled(bundle):
            return HTMLResponse(_MISSING_PAGE, 503)
        return _fresh(bundle / "index.html")

    @routes.get("/{name:path}")
    def file(request: Request, name: str) -> Response:
        files = {path.relative_to(bundle).as_posix(): path for path in bundle.rglob("*") if path.is_file()}
        if name not in files:
            if any(route.matches(request.scope)[0] is Match.PARTIAL for route in request.app.routes):
                raise HTTPException(405, "this path does not support GET")
            raise HTTPException(404, "no such path")
        return _fresh(files[name])

    return routes


def _fresh(path: Path) -> FileResponse:
    """A file response that browsers revalidate, because file names stay the same in later versions."""
    return FileResponse(path, headers={"Cache-Control": "no-cache"})
