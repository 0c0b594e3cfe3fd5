"""What goes wrong becomes problem+json (RFC 9457): a title for the kind, a sentence that says the fix, and a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from models.errors import BadInput, SubtextError, user_message

MEDIA = "application/problem+json"
UNEXPECTED = "Something went wrong on the server that should not have: try again, and if it stays, tell its operator."
_log = logging.getLogger("subtext.api")


class Refused(SubtextError):
    """A request that is not carried out; `status` says why, `retry_after` (seconds) when to come again."""

    status = HTTPStatus.BAD_REQUEST
    retry_after: int | None = None


class Overloaded(Refused):
    """There is more to do than can be done."""

    status = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self, why: str, retry_after: int = 1) -> None:
        super().__init__(f"{why} Send the same again after {retry_after} s.")
        self.retry_after = retry_after


class Late(Overloaded):
    """It was taken, and time ran out before it was done."""


class TooMany(Overloaded):
    """This caller asked too often."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class TooLarge(Refused):
    """The body has more bytes than one request may."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class WrongMedia(Refused):
    """The body is of a kind that is not read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class Unreadable(Refused):
    """The body does not say what it should; `errors` tells where."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, sentence: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(sentence)
        self.errors = list(errors)


class NoKey(Refused):
    """A key is needed, and none or a wrong one was shown."""

    status = HTTPStatus.UNAUTHORIZED


class NoSystem(Refused):
    """There is no system of that name."""

    status = HTTPStatus.NOT_FOUND


def problem(error: BaseException) -> dict[str, Any]:
    """The problem as the body of an answer, or as one item of it."""
    status, detail = status_of(error), sentence(error)
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if isinstance(error, Unreadable) and error.errors:
        told["errors"] = error.errors
    return told


def status_of(error: BaseException) -> int:
    """The HTTP status for an exception."""
    if isinstance(error, Refused):
        return int(error.status)
    if isinstance(error, BadInput):
        return 422
    if isinstance(error, SubtextError):
        return 503  # weights or a part are missing: nothing that the caller did
    return 500


def sentence(error: BaseException) -> str:
    """What to tell the caller about `error`."""
    return user_message(error, UNEXPECTED, _log)


def headers_of(error: BaseException) -> dict[str, str]:
    """The headers that belong to the problem."""
    retry = getattr(error, "retry_after", None)
    if retry is None and status_of(error) == 503:
        retry = 30
    headers = {"Retry-After": str(retry)} if retry is not None else {}
    if isinstance(error, NoKey):
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def response(error: BaseException) -> JSONResponse:
    """The whole answer."""
    told = problem(error)
    return JSONResponse(told, told["status"], headers_of(error), MEDIA)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Unreadable:
    """Pydantic's findings without what the caller sent: where it lies and what is wrong with it."""
    found = [
        {"at": "/".join(str(part) for part in one["loc"]), "problem": one["msg"].removeprefix("Value error, ")}
        for one in errors
    ]
    first = f"{found[0]['at']}: {found[0]['problem']}" if found else "it does not fit"
    return Unreadable(f"The request does not fit what is documented in /api/openapi.json ({first}).", found)


def install(app: FastAPI) -> None:
    """What FastAPI itself finds wrong, in this form; the errors that are raised on purpose pass on to the guard."""

    async def http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        told = {
            404: "There is nothing at this address: /api/openapi.json lists what there is.",
            405: "This address does not take that method: /api/openapi.json lists which it does.",
        }.get(error.status_code, str(error.detail))
        body = {"type": "about:blank", "title": HTTPStatus(error.status_code).phrase, "status": error.status_code}
        return JSONResponse({**body, "detail": told}, error.status_code, error.headers, MEDIA)

    async def misfit(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return response(invalid(error.errors()))

    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, misfit)
