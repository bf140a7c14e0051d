"""Middleware of all requests: access checks, size limits, and metrics."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.serving.errors import Busy, ServingError, problem_response
from antiphon.serving.limits import Limits
from antiphon.serving.metrics import Metrics

COOKIE = "antiphon"
OPEN = frozenset({"/api/health"})
"""Paths that need no token."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:; connect-src 'self' blob: data:; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class AccessMiddleware:
    """ASGI middleware that checks requests and adds security headers to responses.

    It refuses a Host outside `hosts` (protection against DNS rebinding), an Origin other than the Host in requests that
    change state, a wrong or missing token, bodies that are too large, and too many concurrent uploads.
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics, token: str | None, hosts: Sequence[str]) -> None:
        self._app, self._limits, self._metrics = app, limits, metrics
        self._token, self._hosts = token, frozenset(hosts)
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._handle(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _SAFE | {"POST", "DELETE"} else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        counted = False
        try:
            try:
                self._check_host(headers)
                self._check_origin(scope["method"], headers)
                self._check_token(scope["path"], headers)
                await self._check_length(headers, receive)
                if has_body:
                    if self._bodies >= self._limits.bodies:
                        raise Busy("too many uploads at once", 2.0)
                    self._bodies += 1
                    counted = True
            except ServingError as error:
                await problem_response(error)(scope, receive, send)
            else:
                await self._app(scope, self._counting(receive) if has_body else receive, send)
        finally:
            self._bodies -= counted

    def _check_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if self._hosts and _without_port(host) not in self._hosts:
            text = f"{host[:100]!r} is not a name of this server; open http://localhost instead"
            raise ServingError(400, "wrong_host", text)

    def _check_origin(self, method: str, headers: Headers) -> None:
        origin = headers.get("origin")
        if method in _SAFE or origin is None:
            return
        if origin.partition("://")[2] != headers.get("host", ""):
            raise ServingError(403, "wrong_origin", f"pages of {origin[:100]!r} may not send changes to this server")

    def _check_token(self, path: str, headers: Headers) -> None:
        if self._token is None or path in OPEN or path == "/":
            return  # the route of the page checks ?token= and the cookie itself
        if not is_token(_token_of(headers), self._token):
            raise ServingError(401, "no_token", UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})

    async def _check_length(self, headers: Headers, receive: Receive) -> None:
        given = headers.get("content-length")
        if given is None:
            return
        if not given.isascii() or not given.isdigit():
            raise ServingError(400, "bad_request", "Content-Length is not a number")
        if int(given[:20]) > self._limits.upload_bytes:
            with contextlib.suppress(TimeoutError):
                await self._drain(receive)
            raise self._too_large()

    async def _drain(self, receive: Receive) -> None:
        """Receive a part of a refused body: some clients read the response only after they have sent enough."""
        received = 0
        while received < self._limits.upload_bytes:
            message = await asyncio.wait_for(receive(), self._limits.body_s)
            received += len(message.get("body", b""))
            if not message.get("more_body"):
                return

    def _too_large(self) -> ServingError:
        most = self._limits.upload_bytes / (1 << 20)
        return ServingError(
            413, "too_large", f"the request is larger than {most:g} MiB; send a shorter stretch or a compressed file"
        )

    def _counting(self, receive: Receive) -> Receive:
        received, complete = 0, False

        async def counted() -> Message:
            nonlocal received, complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._limits.body_s)
            except TimeoutError:
                raise ServingError(400, "too_slow", "the upload has stalled; send it again") from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body")
            if received > self._limits.upload_bytes:
                raise self._too_large()
            return message

        return counted


UNAUTHORIZED = "this server requires its token: open /?token=… once, or send Authorization: Bearer …"


def is_token(given: str, token: str) -> bool:
    """Compare tokens in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), token.encode())


def is_authorized(headers: Headers, token: str | None) -> bool:
    """Whether a request has the token, or none is required."""
    return token is None or is_token(_token_of(headers), token)


def is_loopback(host: str) -> bool:
    """Whether only this computer can connect to a server bound to `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token_of(headers: Headers) -> str:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    # Other programs on this host may set cookies of any form; SimpleCookie would stop at the first unusual one.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _without_port(host: str) -> str:
    """The host name of a Host header in lower case.

    >>> _without_port("[::1]:80"), _without_port("LOCALHOST:8000"), _without_port("localhost")
    ('::1', 'localhost', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
