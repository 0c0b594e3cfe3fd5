"""The parts of /api/openapi.json that FastAPI cannot work out: request bodies, problems and examples."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from serving.intake import Meme
from serving.responses import Problem

MANY = {"memes": [{"caption": "I hate Mondays"}, {"caption": "Thank you to the women who went first"}]}
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC"
PROBLEM = {
    "type": "about:blank",
    "title": "Unprocessable Entity",
    "status": 422,
    "detail": "There is nothing to analyze: give a picture, some words, or both.",
    "errors": [],
}


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


def meme_body(model: type[Meme]) -> dict[str, Any]:
    """The two request bodies of a meme: JSON with base64, and a form with a file."""
    schema = inline_schema(model)
    form = {name: dict(entry) for name, entry in schema["properties"].items()}
    form["picture"] = {
        "type": "string",
        "format": "binary",
        "description": "A JPEG, PNG, WebP, GIF or BMP file, at most 10 MB and 20 megapixels (a JPEG: 60).",
    }
    words = {"caption": "I hate Mondays"}
    examples = {
        "words": {"summary": "Words alone", "value": words | ({"explain": False} if "explain" in form else {})},
        "picture": {"summary": "A picture, its words read by the OCR", "value": {"picture": PICTURE}},
        "both": {"summary": "A picture and its words", "value": {"picture": PICTURE} | words},
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
    """The problems that a route answers with."""
    descriptions = {
        401: "A key is needed",
        404: "There is no such system",
        413: "More bytes than one request may have",
        415: "A body of another kind than JSON or multipart",
        422: "A body, picture or caption that cannot be used; the detail says why",
        429: "Too many requests from this caller; Retry-After says when to come again",
        503: "More to do than can be done, or the models are not loaded; Retry-After says when to come again",
    }
    content = {"application/problem+json": {"schema": Problem.model_json_schema(), "example": PROBLEM}}
    return {status: {"description": descriptions[status], "content": content} for status in statuses}
