"""What the API takes and gives beside `Analysis`, and the examples that its documentation shows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from models.analysis import Emotion, Harm, ProfileInfo, Source, Status, Verdict
from serving import intake
from serving.systems import Answered


class Problem(BaseModel):
    """problem+json (RFC 9457); `detail` says the fix, `errors` where a body does not fit."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


class ScoreMany(BaseModel):
    """Many memes at once."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    memes: Annotated[list[intake.Meme], Field(min_length=1, description="Answered in this order.")]


class Score(BaseModel):
    """One meme's short answer, or the problem with it."""

    index: int
    verdict: Verdict | None = None
    harm: Harm | None = None
    caption: str | None = Field(None, description="The words that the verdict rests on.")
    caption_source: Source | None = None
    problem: Problem | None = None


class Scores(BaseModel):
    """As many as were asked, in their order."""

    results: list[Score]


class Predicted(BaseModel):
    """A system's answer: the category, and the scores that it was chosen by, the likeliest first. Where it answers several
    questions, `answers` has each."""

    system: str
    status: Status
    category: str
    scores: list[Emotion]
    detail: str = ""
    answers: list[Answered] = []
    caption: str
    caption_source: Source


class SystemInfo(BaseModel):
    name: str
    summary: str
    reads: str
    labels: list[str]


class Models(BaseModel):
    """What runs here: the profile with the SHA-256 of each folder of weights, and the systems."""

    profile: ProfileInfo
    systems: list[SystemInfo]


class Health(BaseModel):
    status: str


QUESTION = {"caption": "I hate Mondays", "explain": False}
MANY = {"memes": [{"caption": "I hate Mondays"}, {"caption": "Thank you to the women who went first"}]}
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "There is nothing to analyze: give a picture, some words, or both.",
    "errors": [],
}


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references: OpenAPI would look for them elsewhere."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def put(value: Any) -> Any:
        if isinstance(value, list):
            return [put(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return put(parts[value["$ref"].rpartition("/")[2]])
        return {key: put(one) for key, one in value.items()}

    found: dict[str, Any] = put(schema)
    return found


def body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """A JSON body for OpenAPI."""
    content = {"application/json": {"schema": inlined(model), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def bodies(model: type[intake.Meme]) -> dict[str, Any]:
    """The two forms of a meme for OpenAPI: JSON with base64, and a form with a file."""
    schema = inlined(model)
    form = {name: dict(entry) for name, entry in schema["properties"].items()}
    form["picture"] = {
        "type": "string",
        "format": "binary",
        "description": "A JPEG, PNG, WebP, GIF or BMP file, at most 10 MB and 20 megapixels (a JPEG: 60).",
    }
    asks = "explain" in form
    examples = {
        "words": {"summary": "Words alone", "value": QUESTION if asks else {"caption": "I hate Mondays"}},
        "picture": {"summary": "A picture, its words read by the OCR", "value": {"picture": PICTURE}},
        "both": {"summary": "A picture and its words", "value": {"picture": PICTURE, "caption": "I hate Mondays"}},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "examples": examples},
                "multipart/form-data": {"schema": {"type": "object", "properties": form}},
            },
        }
    }


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route answers with, for OpenAPI."""
    said = {
        401: "A key is needed",
        404: "There is no such system",
        413: "More bytes than one request may have",
        415: "A body of another kind than JSON or multipart",
        422: "A body, picture or caption that cannot be used; the detail says why",
        429: "Too many requests from this caller; Retry-After says when to come again",
        503: "More to do than can be done, or the models are not loaded; Retry-After says when to come again",
    }
    content = {"application/problem+json": {"schema": Problem.model_json_schema(), "example": PROBLEM}}
    return {status: {"description": said[status], "content": content} for status in statuses}
