"""`POST /v1alpha1/comments:analyze`, in the request and response form of the hosted text-toxicity service that shuts down
on 31 December 2026 (Perspective API, developers.perspectiveapi.com), so that its callers change only an address.

The numbers are not that service's: both attributes carry Subtext's calibrated probability that the words are hateful,
that is, that they attack people for what they are. Rudeness that names no group scores lower here than there.
"""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.explain.facts import joined
from models.io.captions import MAX_CHARACTERS, normalize
from models.io.language import NAMES, UNDETERMINED
from serving import problems
from serving.bodies import parse_json
from serving.schemas import TEXTS, json_body
from serving.service import Service
from serving.work import SCORE, MemeInput

PREFIX = "/v1alpha1/"
ATTRIBUTES = ("TOXICITY", "IDENTITY_ATTACK")
MAX_BYTES = 1024**2  # of a request; that service takes comments of 20 KB
MAX_VALUES = (
    10_000  # quotes, or brackets and commas, of a request: `context` may hold many comments, which are not read
)
# What that service's callers look for in `error.status` (google.rpc.Code).
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
router = APIRouter(tags=["the other service's form"])


class PerspectiveError(problems.Refused):
    """An error that the Perspective API has a name for: `error_type`."""

    def __init__(self, error_type: str, sentence: str, **details: Any) -> None:
        super().__init__(sentence)
        self.error_type, self.details = error_type, details


class _Form(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)  # unknown fields are ignored, as that service does


class Comment(_Form):
    """The text to score."""

    text: str
    type: Literal["PLAIN_TEXT", "HTML", "TEXT_TYPE_UNSPECIFIED"] = "PLAIN_TEXT"


class Wanted(_Form):
    """The settings of one requested attribute."""

    scoreType: Literal["PROBABILITY", "SCORE_TYPE_UNSPECIFIED"] = "PROBABILITY"  # noqa: N815
    scoreThreshold: Annotated[float, Field(ge=0, le=1)] = 0.0  # noqa: N815


class AnalyzeComment(_Form):
    """The fields that are used here; doNotStore is always honoured, since nothing is ever stored."""

    comment: Comment
    requestedAttributes: dict[str, Wanted | None]  # noqa: N815
    languages: list[str] = []
    spanAnnotations: bool = False  # noqa: N815
    clientToken: str | None = None  # noqa: N815


class Value(BaseModel):
    """A probability."""

    value: float
    type: Literal["PROBABILITY"] = "PROBABILITY"


class Span(BaseModel):
    """The score of a part of the text, by character offsets."""

    begin: int
    end: int
    score: Value


class Attribute(BaseModel):
    """The scores of one attribute."""

    spanScores: list[Span]  # noqa: N815
    summaryScore: Value  # noqa: N815


class AnalyzedComment(BaseModel):
    """The scores of a comment."""

    attributeScores: dict[str, Attribute]  # noqa: N815
    languages: list[str]
    detectedLanguages: list[str]  # noqa: N815
    clientToken: str | None = None  # noqa: N815


class Failure(BaseModel):
    """What went wrong, with a google.rpc.Code in `status`."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]] = []


class Failed(BaseModel):
    """A failure in that service's form."""

    error: Failure


@router.post(
    f"{PREFIX}comments:analyze",
    summary="Score a comment, asked and answered as the closing toxicity service does",
    description=__doc__,
    response_model=AnalyzedComment,
    openapi_extra=json_body(AnalyzeComment, TEXTS["comment"]),
    responses={
        int(status): {"description": text, "model": Failed} for status, text in TEXTS["perspective_problems"].items()
    },
)
async def analyze_comment(request: Request) -> JSONResponse:
    """Score the comment's text. Raises `PerspectiveError` where that service would refuse it.

    A language that the caller names is believed, as there; otherwise that of the text is detected.
    """
    comment = await parse_json(request, _parse, max_values=MAX_VALUES)
    text = comment.comment.text
    service: Service = request.app.state.service
    if comment.languages:
        _check_languages(comment.languages, await service.languages())
    caption, (verdict, _) = await service.answer(request, SCORE, MemeInput(caption=text))
    detected = [caption.language or UNDETERMINED]
    if verdict.decided_by == "language" and not comment.languages:
        raise _not_supported(detected, await service.languages())
    score = Value(value=verdict.probability)
    answer = AnalyzedComment(
        attributeScores={
            name: Attribute(spanScores=[Span(begin=0, end=len(text), score=score)], summaryScore=score)
            for name, settings in comment.requestedAttributes.items()
            if settings is None or score.value >= settings.scoreThreshold
        },
        languages=comment.languages or detected,
        detectedLanguages=detected,
        clientToken=comment.clientToken,
    )
    return JSONResponse(answer.model_dump(exclude_none=True))


def _parse(body: bytes) -> AnalyzeComment:
    """The request, checked as that service checks it. Raises `PerspectiveError`."""
    try:
        comment = AnalyzeComment.model_validate(json.loads(body))
    except ValidationError as error:
        raise PerspectiveError("INVALID_ARGUMENT", str(problems.invalid(error))) from None
    except (ValueError, RecursionError):  # neither UTF-8 nor JSON
        raise PerspectiveError("INVALID_ARGUMENT", "Invalid JSON payload received.") from None
    attributes, text = comment.requestedAttributes, comment.comment.text
    if not attributes or not set(attributes) <= set(ATTRIBUTES):
        raise PerspectiveError(
            "ATTRIBUTE_NOT_SUPPORTED",
            f"Of the attributes this server has {' and '.join(ATTRIBUTES)}: ask for one of them or both.",
        )
    if len(text) > MAX_CHARACTERS:
        sentence = f"Comment text has too many characters: at most {MAX_CHARACTERS} are read."
        raise PerspectiveError("COMMENT_TOO_LONG", sentence)
    if not normalize(text).text:
        raise PerspectiveError("COMMENT_EMPTY", "Comment must be non-empty.")
    return comment


def _check_languages(requested: Sequence[str], measured: Sequence[str]) -> None:
    """Raises `PerspectiveError` for a language that the verdict was not measured on; `pt-BR` counts as `pt`."""
    foreign = [language for language in requested if language.split("-")[0].lower() not in measured]
    if foreign:
        raise _not_supported(foreign, measured)


def _not_supported(languages: Sequence[str], measured: Sequence[str]) -> PerspectiveError:
    reads = joined([f"{NAMES.get(code, code)} ({code})" for code in measured])
    return PerspectiveError(
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        f"This server reads {reads}: a person should read other languages. If the text is in one of these, name it in "
        "`languages`.",
        languageNotSupportedByAttributeError={
            "requestedLanguages": list(languages[:8]),
            "supportedLanguages": list(measured),
        },
    )


def response(error: BaseException) -> JSONResponse:
    """A failure in that service's form: `{"error": {"code", "message", "status", "details"}}`."""
    status = problems.status_of(error)
    status = 400 if status in (413, 415, 422) else status
    body: dict[str, Any] = {
        "code": status,
        "message": problems.sentence(error),
        "status": CODES.get(status, "INTERNAL"),
    }
    if isinstance(error, PerspectiveError):
        error_type = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
        body["details"] = [{"@type": error_type, "errorType": error.error_type, **error.details}]
    return JSONResponse({"error": body}, status, problems.headers_of(error))
