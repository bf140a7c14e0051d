"""What a request can fail with: one line that says what is wrong and what to do, and a word for machines."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from antiphon.errors import AntiphonError, UnreadableInput

_log = logging.getLogger("antiphon.serving")
_CODES = {400: "bad_request", 404: "not_found", 405: "wrong_method", 413: "too_large", 422: "invalid"}


class Problem(BaseModel):
    """Every answer that is no success."""

    error: str
    """What is wrong and what to do."""
    code: str
    """The same as one word, which stays when the text is reworded."""


class ServingError(AntiphonError):
    """A request that cannot be served, with its HTTP status; a text may quote anything that a client has sent."""

    def __init__(self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(printable(text))
        self.status, self.code, self.headers = status, code, dict(headers or {})

    def problem(self) -> Problem:
        return Problem(error=str(self), code=self.code)


class Busy(ServingError):
    """503: too much is going on; when to come back, in whole seconds."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        wait = max(1, math.ceil(retry_after_s))
        super().__init__(503, "busy", f"{what}; try again in {wait} s", {"Retry-After": str(wait)})


def unusable(error: AntiphonError) -> ServingError:
    """An expected failure as 422; of a file the reason alone, for its path is the server's own affair."""
    text = error.reason if isinstance(error, UnreadableInput) else str(error)
    return ServingError(422, "unusable", text)


def printable(text: str) -> str:
    """Text that can be encoded: JSON can bring half a surrogate pair, and file names any byte.

    >>> printable("caf\\udce9")
    'caf\\\\udce9'
    """
    return text.encode(errors="backslashreplace").decode()


def problem_response(error: ServingError) -> JSONResponse:
    """A failure as JSON."""
    return JSONResponse(error.problem().model_dump(), error.status, error.headers)


def invalid(errors: Sequence[Any]) -> ServingError:
    """What pydantic says of a request, as 422: each value by its name."""
    named = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in errors)
    return ServingError(422, "invalid", "; ".join(named)[:2000])


def add_handlers(app: FastAPI) -> None:
    """Every failure of the application becomes a `Problem`."""

    def refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ServingError)
        return problem_response(error)

    def expected(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, AntiphonError)
        return problem_response(unusable(error))

    def malformed(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return problem_response(invalid(error.errors()))

    def of_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = _CODES.get(error.status_code, "refused")
        text = f"{error.detail}; see /openapi.json for what there is"
        return problem_response(ServingError(error.status_code, code, text, error.headers))

    def unexpected(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        text = "the server made a mistake, which its log describes; please report it"
        return problem_response(ServingError(500, "internal", text))

    app.add_exception_handler(ServingError, refused)
    app.add_exception_handler(AntiphonError, expected)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unexpected)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These statuses as OpenAPI describes them, each with a `Problem`, and those that any request may meet."""
    meanings = {
        202: "accepted",
        400: "the request is not well formed, or its Host is not this server",
        401: "the token is missing or wrong",
        403: "not allowed",
        404: "there is no such thing, or it has been forgotten",
        409: "not with this recording or library",
        411: "a body without a length",
        413: "larger than the limit",
        422: "a value or a file that cannot be used",
        503: "too much is going on; Retry-After says when to come back",
    }
    return {status: {"model": Problem, "description": meanings[status]} for status in (400, 401, 422, *statuses)}
