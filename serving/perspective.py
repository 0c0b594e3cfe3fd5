"""`POST /v1alpha1/comments:analyze`, in the request and response form of the hosted text-toxicity service that closes on
31 December 2026 (Perspective API, developers.perspectiveapi.com), so that its callers change only an address.

The numbers are not that service's: both attributes carry Subtext's calibrated probability that the words are hateful,
that is, that they attack people for what they are. Rudeness that names no group scores lower here than there.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.io.captions import MOST_CHARACTERS, normalize
from serving import problems
from serving.schemas import body
from serving.service import Service
from serving.work import SCORE, Asked

PREFIX = "/v1alpha1/"
ATTRIBUTES = ("TOXICITY", "IDENTITY_ATTACK")
LANGUAGES = ("en",)
# What that service's callers look for in `error.status` (google.rpc.Code).
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}
router = APIRouter(tags=["the other service's form"])


class Told(problems.Refused):
    """An error that the other service knows by a name of its own, `kind`."""

    def __init__(self, kind: str, sentence: str, **details: Any) -> None:
        super().__init__(sentence)
        self.kind, self.details = kind, details


class _Form(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)  # other fields are passed over, as there


class Comment(_Form):
    text: str
    type: Literal["PLAIN_TEXT", "HTML", "TEXT_TYPE_UNSPECIFIED"] = "PLAIN_TEXT"


class Wanted(_Form):
    scoreType: Literal["PROBABILITY", "SCORE_TYPE_UNSPECIFIED"] = "PROBABILITY"  # noqa: N815
    scoreThreshold: Annotated[float, Field(ge=0, le=1)] = 0.0  # noqa: N815


class AnalyzeComment(_Form):
    """The fields that matter here; doNotStore is always honoured, since nothing is ever stored."""

    comment: Comment
    requestedAttributes: dict[str, Wanted | None]  # noqa: N815
    languages: list[str] = []
    spanAnnotations: bool = False  # noqa: N815
    clientToken: str | None = None  # noqa: N815


class Value(BaseModel):
    value: float
    type: Literal["PROBABILITY"] = "PROBABILITY"


class Span(BaseModel):
    begin: int
    end: int
    score: Value


class Attribute(BaseModel):
    spanScores: list[Span]  # noqa: N815
    summaryScore: Value  # noqa: N815


class AnalyzedComment(BaseModel):
    attributeScores: dict[str, Attribute]  # noqa: N815
    languages: list[str]
    detectedLanguages: list[str]  # noqa: N815
    clientToken: str | None = None  # noqa: N815


class Failure(BaseModel):
    code: int
    message: str
    status: str
    details: list[dict[str, Any]] = []


class Failed(BaseModel):
    """A failure in that service's form."""

    error: Failure


EXAMPLE = {
    "comment": {"text": "I love Mondays"},
    "requestedAttributes": {"TOXICITY": {}, "IDENTITY_ATTACK": {}},
    "languages": ["en"],
    "doNotStore": True,
}


@router.post(
    "/v1alpha1/comments:analyze",
    summary="Score a comment, asked and answered as the closing toxicity service does",
    description=__doc__,
    response_model=AnalyzedComment,
    openapi_extra=body(AnalyzeComment, EXAMPLE),
    responses={
        status: {"description": said, "model": Failed}
        for status, said in {
            400: "A comment or attribute that cannot be used",
            401: "A key is needed",
            429: "Too many requests",
            503: "More to do than can be done",
        }.items()
    },
)
async def analyze_comment(request: Request) -> JSONResponse:
    try:
        asked = AnalyzeComment.model_validate(json.loads(await request.body()))
    except (ValueError, RecursionError) as error:  # ValidationError is one; so is what is not UTF-8 or not JSON
        at = problems.invalid(error.errors()) if isinstance(error, ValidationError) else None
        raise Told("INVALID_ARGUMENT", str(at) if at else "Invalid JSON payload received.") from None
    text = asked.comment.text
    unknown = [name for name in asked.requestedAttributes if name not in ATTRIBUTES]
    if unknown or not asked.requestedAttributes:
        raise Told(
            "ATTRIBUTE_NOT_SUPPORTED",
            f"Of the attributes this server has {' and '.join(ATTRIBUTES)}: ask for one of them or both.",
        )
    foreign = [language for language in asked.languages if language.split("-")[0].lower() not in LANGUAGES]
    if foreign:
        raise Told(
            "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
            "This server reads English alone: leave `languages` out or set it to en.",
            languageNotSupportedByAttributeError={"requestedLanguages": foreign[:8], "supportedLanguages": LANGUAGES},
        )
    if not normalize(text).text:
        raise Told("COMMENT_EMPTY", "Comment must be non-empty.")
    if len(text) > MOST_CHARACTERS:
        raise Told("COMMENT_TOO_LONG", f"Comment text has too many characters: at most {MOST_CHARACTERS} are read.")
    service: Service = request.app.state.service
    found = await service.ask_one(request, SCORE, Asked(caption=text))
    value = found.verdict.probability
    scores = {}
    for name, wanted in asked.requestedAttributes.items():
        if wanted is None or value >= wanted.scoreThreshold:
            score = {"value": value, "type": "PROBABILITY"}
            spans = [{"begin": 0, "end": len(text), "score": score}]
            scores[name] = {"spanScores": spans, "summaryScore": score}
    answer: dict[str, Any] = {
        "attributeScores": scores,
        "languages": asked.languages or ["en"],
        "detectedLanguages": ["en"],
    }
    if asked.clientToken is not None:
        answer["clientToken"] = asked.clientToken
    return JSONResponse(answer)


def response(error: BaseException) -> JSONResponse:
    """A failure in that service's form: `{"error": {"code", "message", "status", "details"}}`."""
    status = problems.status_of(error)
    status = 400 if status in (413, 415, 422) else status
    told: dict[str, Any] = {
        "code": status,
        "message": problems.sentence(error),
        "status": CODES.get(status, "INTERNAL"),
    }
    if isinstance(error, Told):
        told["details"] = [
            {
                "@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
                "errorType": error.kind,
                **error.details,
            }
        ]
    return JSONResponse({"error": told}, status, problems.headers_of(error))
