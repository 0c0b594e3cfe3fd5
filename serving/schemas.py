"""The API's answers beside `Analysis`, with which the routes document themselves and which the client returns, and the
parts of /api/openapi.json that FastAPI cannot work out: request bodies, problems and examples."""

import tomllib
from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from pydantic.dataclasses import dataclass

from models.analysis import Emotion, Harm, ProfileInfo, Source, Status, Verdict

TEXTS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("openapi.toml").read_text(encoding="utf-8"))
LANGUAGE = "ISO 639-1 code of the words' language, `und` where they do not tell; null without words."


class Problem(BaseModel):
    """problem+json (RFC 9457); `detail` says the fix, `errors` where a body does not fit."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


class Score(BaseModel):
    """One meme's short answer, or the problem with it."""

    index: int
    verdict: Verdict | None = None
    harm: Harm | None = None
    caption: str | None = Field(None, description="The words that the verdict rests on.")
    caption_source: Source | None = None
    language: str | None = Field(None, description=LANGUAGE)
    problem: Problem | None = None


class Scores(BaseModel):
    """One result for each meme of the request, in their order."""

    results: list[Score]


@dataclass(frozen=True)
class Answered:
    """The answer for one target of a model that predicts several; `question` is the target's name."""

    task: str
    question: str
    category: str
    scores: tuple[Emotion, ...]


class Predicted(BaseModel):
    """A predictor's category and the scores that it was chosen by, the likeliest first; `answers` has an entry for each
    target where there are several."""

    system: str
    status: Status
    category: str
    scores: list[Emotion]
    detail: str = ""
    answers: list[Answered] = []
    caption: str
    caption_source: Source
    language: str | None = Field(None, description=LANGUAGE)


class SystemInfo(BaseModel):
    """One predictor: its name in the address, what it reads and its categories."""

    name: str
    summary: str
    reads: str
    labels: list[str]


class Models(BaseModel):
    """What runs here: the profile with the SHA-256 of each weights folder, and the predictors."""

    profile: ProfileInfo
    systems: list[SystemInfo]


class Health(BaseModel):
    """The state of the server in one word."""

    status: str


def inline_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON schema without references, which OpenAPI would resolve against another document."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def inline(value: Any) -> Any:
        if isinstance(value, list):
            return [inline(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return inline(definitions[value["$ref"].rpartition("/")[2]])
        return {key: inline(item) for key, item in value.items()}

    inlined: dict[str, Any] = inline(schema)
    return inlined


def json_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """A JSON request body."""
    content = {"application/json": {"schema": inline_schema(model), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def meme_body(model: type[BaseModel]) -> dict[str, Any]:
    """The two request bodies of a meme: JSON with base64, and a form with a file."""
    schema = inline_schema(model)
    form = {name: dict(entry) for name, entry in schema["properties"].items()}
    form["picture"] = {
        "type": "string",
        "format": "binary",
        "description": "A JPEG, PNG, WebP, GIF or BMP file, at most 10 MB and 20 megapixels (a JPEG: 60).",
    }
    examples = deepcopy(TEXTS["meme"])
    if "explain" in form:
        examples["words"]["value"]["explain"] = False
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
    """The problems that a route answers with."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema(), "example": TEXTS["problem"]}}
    return {status: {"description": TEXTS["problems"][str(status)], "content": content} for status in statuses}
