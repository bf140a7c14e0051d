"""Errors of requests: one line that names the cause and the remedy, and a code for machines."""

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
from antiphon.wording import printable

_log = logging.getLogger("antiphon.serving")
_CODES = {400: "bad_request", 404: "not_found", 405: "wrong_method", 413: "too_large", 422: "invalid"}


class Problem(BaseModel):
    """The body of every unsuccessful response."""

    error: str
    """The cause and the remedy."""
    code: str
    """A stable code of the error, independent of the wording."""


class ServingError(AntiphonError):
    """A request that cannot be served, with its HTTP status. `text` may quote any input of a client."""

    def __init__(self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(printable(text))
        self.status, self.code, self.headers = status, code, dict(headers or {})

    def problem(self) -> Problem:
        return Problem(error=str(self), code=self.code)


class Busy(ServingError):
    """503: too much load. Retry-After states when to try again, in whole seconds."""

    def __init__(self, cause: str, retry_after_s: float) -> None:
        wait = max(1, math.ceil(retry_after_s))
        super().__init__(503, "busy", f"{cause}; try again in {wait} s", {"Retry-After": str(wait)})


def unusable(error: AntiphonError) -> ServingError:
    """An expected error as 422. For a file it gives the reason only, so that no path of the server is disclosed."""
    text = error.reason if isinstance(error, UnreadableInput) else str(error)
    return ServingError(422, "unusable", text)


def problem_response(error: ServingError) -> JSONResponse:
    """An error as a JSON response."""
    return JSONResponse(error.problem().model_dump(), error.status, error.headers)


def invalid(errors: Sequence[Any]) -> ServingError:
    """Validation errors of pydantic as 422, each with the name of its field."""
    named = (f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in errors)
    return ServingError(422, "invalid", "; ".join(named)[:2000])


def add_error_handlers(app: FastAPI) -> None:
    """Turn every error of the application into a `Problem`."""

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
        text = f"{error.detail}; see /openapi.json for all routes"
        return problem_response(ServingError(error.status_code, code, text, error.headers))

    def unexpected(_: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", exc_info=error)
        text = "internal error of the server, see its log; please report it"
        return problem_response(ServingError(500, "internal", text))

    app.add_exception_handler(ServingError, refused)
    app.add_exception_handler(AntiphonError, expected)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(Exception, unexpected)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI descriptions of these error statuses and of those that every route has, each with a `Problem`."""
    meanings = {
        202: "accepted",
        400: "the request is malformed, or its Host is not this server",
        401: "the token is missing or wrong",
        403: "not allowed",
        404: "not found, or no longer stored",
        409: "not possible with this recording or library",
        411: "the body has no length",
        413: "larger than the limit",
        422: "a value or a file is invalid",
        503: "too much load; Retry-After states when to try again",
    }
    return {status: {"model": Problem, "description": meanings[status]} for status in (400, 401, 422, *statuses)}
