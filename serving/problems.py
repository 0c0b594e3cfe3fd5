"""Exceptions as problem+json (RFC 9457): a title for the kind, a sentence that says the fix, and a status."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from models.errors import BadInput, SubtextError, user_message

MEDIA_TYPE = "application/problem+json"
UNEXPECTED = "Something went wrong on the server that should not have: try again, and if it stays, tell its operator."
MAX_PROBLEMS = 20  # of a body that does not fit, which are listed
MAX_PLACE = 200  # characters: names of fields are the caller's
_log = logging.getLogger("subtext.api")


class Refused(SubtextError):
    """A request that is not carried out. `status` says why; `retry_after` is the seconds until it may be sent again."""

    status = HTTPStatus.BAD_REQUEST
    retry_after: int | None = None

    def __init_subclass__(cls, status: HTTPStatus | None = None) -> None:
        cls.status = status or cls.status


class Overloaded(Refused, status=HTTPStatus.SERVICE_UNAVAILABLE):
    """The server has more work than it can do."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(f"{reason} Send the same again after {retry_after} s.")
        self.retry_after = retry_after


class DeadlineExceeded(Overloaded):
    """The request was accepted, and its time ran out before it was done."""


class RateLimited(Overloaded, status=HTTPStatus.TOO_MANY_REQUESTS):
    """This caller sent too many requests."""


class TooLarge(Refused, status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
    """The body has more bytes than one request may."""


class Stalled(Refused, status=HTTPStatus.REQUEST_TIMEOUT):
    """The body stopped arriving; the connection is closed, since what is missing of it may never come."""


class WrongMedia(Refused, status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE):
    """The body's media type is not read here."""


class Unreadable(Refused, status=HTTPStatus.UNPROCESSABLE_ENTITY):
    """The body does not fit the schema; `errors` says where."""

    def __init__(self, sentence: str, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(sentence)
        self.errors = list(errors)


class Unauthorized(Refused, status=HTTPStatus.UNAUTHORIZED):
    """A key is needed, and none or a wrong one was sent."""


class NoSystem(Refused, status=HTTPStatus.NOT_FOUND):
    """There is no predictor of that name."""


def problem(error: BaseException) -> dict[str, Any]:
    """The problem as the body of an answer, or as one item of it."""
    body = _body(status_of(error), sentence(error))
    if isinstance(error, Unreadable) and error.errors:
        body["errors"] = error.errors
    return body


def status_of(error: BaseException) -> int:
    """The HTTP status for an exception."""
    if isinstance(error, Refused):
        return int(error.status)
    if isinstance(error, BadInput):
        return 422
    if isinstance(error, SubtextError):
        return 503  # weights or a part are missing, which is not the caller's fault
    return 500


def sentence(error: BaseException) -> str:
    """The sentence for the caller."""
    return user_message(error, UNEXPECTED, _log)


def headers_of(error: BaseException) -> dict[str, str]:
    """The headers that belong to the problem."""
    retry = getattr(error, "retry_after", None)
    if retry is None and status_of(error) == 503:
        retry = 30
    headers = {"Retry-After": str(retry)} if retry is not None else {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Stalled):
        headers["Connection"] = "close"
    return headers


def response(error: BaseException) -> JSONResponse:
    """The problem as a response."""
    body = problem(error)
    return JSONResponse(body, body["status"], headers_of(error), MEDIA_TYPE)


def invalid(error: ValidationError) -> Unreadable:
    """Pydantic's findings as an exception: where and what is wrong, without what the caller sent."""
    problems = [
        {"at": "/".join(map(str, details["loc"]))[:MAX_PLACE], "problem": details["msg"].removeprefix("Value error, ")}
        for details in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
    ]
    first = "{at}: {problem}".format_map(problems[0])
    return Unreadable(f"The request does not fit what is documented in /api/openapi.json ({first}).", problems)


async def refuse(_: Request, error: Any) -> JSONResponse:
    """What FastAPI itself refuses (an `HTTPException`) in this form; errors that we raise pass on to the guard."""
    detail = {
        404: "There is nothing at this address: /api/openapi.json lists what there is.",
        405: "This address does not take that method: /api/openapi.json lists which it does.",
    }.get(error.status_code, str(error.detail))
    return JSONResponse(_body(error.status_code, detail), error.status_code, error.headers, MEDIA_TYPE)


def _body(status: int, detail: str) -> dict[str, Any]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
