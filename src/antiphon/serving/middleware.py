"""What every request passes before anything reads it: whose it is, how large it is, and what is counted of it."""

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
"""What needs no token."""
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
    """ASGI middleware.

    Refuses a Host that is none of `hosts` (a page elsewhere can give its own name this computer's address), an Origin
    other than the Host in requests that change something, a wrong or missing token, and bodies that are too large or
    too many at once. Answers carry headers that keep pages to themselves.
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
            await self._passed(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _SAFE | {"POST", "DELETE"} else "other"
            self._metrics.requests.labels(method, route, str(status)).inc()

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> None:
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
            text = f"this server does not go by the name {host[:100]!r}; open it as http://localhost"
            raise ServingError(400, "wrong_host", text)

    def _check_origin(self, method: str, headers: Headers) -> None:
        origin = headers.get("origin")
        if method in _SAFE or origin is None:
            return
        if origin.partition("://")[2] != headers.get("host", ""):
            raise ServingError(403, "wrong_origin", f"pages of {origin[:100]!r} may not change anything here")

    def _check_token(self, path: str, headers: Headers) -> None:
        if self._token is None or path in OPEN or path == "/":
            return  # the page itself looks for ?token= and the cookie
        if not is_token(_shown_token(headers), self._token):
            raise ServingError(401, "no_token", UNAUTHORIZED, {"WWW-Authenticate": "Bearer"})

    async def _check_length(self, headers: Headers, receive: Receive) -> None:
        given = headers.get("content-length")
        if given is None:
            return
        if not given.isascii() or not given.isdigit():
            raise ServingError(400, "bad_request", "Content-Length is no number")
        if int(given[:20]) > self._limits.upload_bytes:
            with contextlib.suppress(TimeoutError):
                await self._drain(receive)
            raise self._too_large()

    async def _drain(self, receive: Receive) -> None:
        """Take in a little of what is refused: a client that cannot go on sending may never see the answer."""
        taken = 0
        while taken < self._limits.upload_bytes:
            message = await asyncio.wait_for(receive(), self._limits.body_s)
            taken += len(message.get("body", b""))
            if not message.get("more_body"):
                return

    def _too_large(self) -> ServingError:
        most = self._limits.upload_bytes / (1 << 20)
        return ServingError(413, "too_large", f"more than {most:g} MiB; send a shorter stretch, or a compressed file")

    def _counting(self, receive: Receive) -> Receive:
        taken, complete = 0, False

        async def counted() -> Message:
            nonlocal taken, complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._limits.body_s)
            except TimeoutError:
                raise ServingError(400, "too_slow", "the upload has stopped; send it again") from None
            taken += len(message.get("body", b""))
            complete = not message.get("more_body")
            if taken > self._limits.upload_bytes:
                raise self._too_large()
            return message

        return counted


UNAUTHORIZED = "this server asks for its token: open /?token=… once, or send Authorization: Bearer …"


def is_token(shown: str, token: str) -> bool:
    """Compared in a time that does not tell how much is right."""
    return hmac.compare_digest(shown.encode(errors="surrogateescape"), token.encode())


def is_authorized(headers: Headers, token: str | None) -> bool:
    """Whether a request shows the token, where one is asked for."""
    return token is None or is_token(_shown_token(headers), token)


def is_loopback(host: str) -> bool:
    """Whether only this computer can connect to a server bound there.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _shown_token(headers: Headers) -> str:
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return shown.strip()
    # Other programs on this host set cookies too, of any form: SimpleCookie stops at the first that is unusual.
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _without_port(host: str) -> str:
    """The name of a Host header, in lower case.

    >>> _without_port("[::1]:80"), _without_port("LOCALHOST:8000"), _without_port("localhost")
    ('::1', 'localhost', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()
