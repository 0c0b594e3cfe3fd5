"""A request's body to memes: multipart with a file, or JSON with base64. Nothing is ever fetched by address."""

import base64
import string
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import BadPicture
from models.io.captions import MAX_CHARACTERS, check_length
from models.io.images import MAX_BYTES, TAKEN
from serving.bodies import parse_json
from serving.problems import TooLarge, Unreadable, WrongMedia, invalid
from serving.work import MemeInput, try_call

MULTIPART, JSON = "multipart/form-data", "application/json"
VALUES_PER_MEME = 200  # quotes, or brackets and commas, that a meme of the JSON may have: a full one has some 80
_MAX_DATA_URL = 200  # characters of a data URL's beginning
_MAX_BASE64 = MAX_BYTES * 4 // 3 + _MAX_DATA_URL  # characters of base64 that a picture may take

PICTURE = f"The bytes of a {TAKEN} file, at most 10 MB and 20 megapixels (a JPEG: 60), in base64 (a data URL is fine)."
WORDS = f'The words, at most {MAX_CHARACTERS:,} characters. Left out: they are read off the picture; "": none.'


class Meme(BaseModel):
    """A picture, words, or both."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    picture: str | None = Field(None, description=PICTURE)
    caption: str | None = Field(None, description=WORDS)
    read: bool = Field(True, description="Read words off the picture where no caption is given.")

    def to_input(self) -> MemeInput:
        """Raises `TooLarge` or `BadPicture` for a picture that cannot be decoded from base64, `BadCaption` for a long one."""
        if self.caption is not None:
            check_length(self.caption)
        data = decode_base64(self.picture) if self.picture is not None else None
        return MemeInput(data, self.caption, ocr=self.read)


class Question(Meme):
    """A meme and what to say about it."""

    explain: bool = Field(True, description="Also measure what moved the score; takes some ten times as long.")
    lenses: list[str] = Field([], max_length=32, description="Further readings by name; /api/v1/models lists them.")

    def to_input(self) -> MemeInput:
        """Raises as `Meme.to_input` does."""
        return replace(super().to_input(), explain=self.explain, lenses=tuple(self.lenses))


class ScoreMany(BaseModel):
    """Many memes at once."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    memes: list[Meme] = Field(min_length=1, description="Answered in this order.")


def decode_base64(text: str) -> bytes:
    """base64, with or without a data URL's beginning and line breaks. Raises `TooLarge` or `BadPicture`."""
    if len(text) > _MAX_BASE64:
        raise _picture_too_large()
    text = text.lstrip()
    beginning, comma, _ = text[:_MAX_DATA_URL].partition(",")
    if comma and beginning.startswith("data:") and beginning.endswith(";base64"):
        text = text[len(beginning) + 1 :]
    try:
        return base64.b64decode(text.encode("ascii").translate(None, string.whitespace.encode()), validate=True)
    except ValueError as error:
        raise BadPicture(
            "The picture is not base64: send the file's bytes encoded; addresses (http://...) are never fetched."
        ) from error


def media_type(headers: Headers) -> str:
    """The body's media type in lower case, without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def read(request: Request, model: type[Meme]) -> MemeInput:
    """The meme of a request, which the guard lets pass as JSON or a form. Raises `BadInput`, `TooLarge` or `Unreadable`."""
    try:
        if media_type(request.headers) != JSON:
            return await _read_form(request, model)
        return await parse_json(
            request, lambda body: model.model_validate_json(body).to_input(), max_values=VALUES_PER_MEME
        )
    except ValidationError as error:
        raise invalid(error) from None  # the original quotes what was sent


async def read_many(request: Request, max_memes: int) -> list[MemeInput | Exception]:
    """The memes of a request, as JSON; an exception in place of one that cannot be used.

    Raises `TooLarge` for more than `max_memes`, `WrongMedia` or `Unreadable`.
    """
    if media_type(request.headers) != JSON:
        raise WrongMedia("The body is to be application/json: set the header Content-Type.")

    def parse(body: bytes) -> list[MemeInput | Exception]:
        memes = ScoreMany.model_validate_json(body).memes
        if len(memes) > max_memes:
            raise TooLarge(f"The request has {len(memes)} memes, and at most {max_memes} are taken at once.")
        return [try_call(meme.to_input) for meme in memes]

    try:
        return await parse_json(request, parse, max_values=VALUES_PER_MEME * max_memes)
    except ValidationError as error:
        raise invalid(error) from None


async def _read_form(request: Request, model: type[Meme]) -> MemeInput:
    """The fields have the names of the JSON; the picture is a file."""
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=40, max_part_size=256 * 1024)
    parser.spool_max_size = MAX_BYTES + 1024**2  # pictures stay in memory; larger ones are refused below
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError, AssertionError) as error:
        raise Unreadable(
            "The multipart body cannot be read: send one file named picture, and caption as a text field."
        ) from error
    files = {name: value for name, value in form.multi_items() if isinstance(value, UploadFile)}
    picture = files.get("picture")
    try:
        if picture is not None and (picture.size or 0) > MAX_BYTES:
            raise _picture_too_large()
        data = await picture.read() if picture is not None else None
    finally:
        await form.close()
    if picture is not None and not picture.filename:
        data = data or None  # a browser's form whose file was left empty
    if files and "picture" not in files:
        raise Unreadable("The file is to be named picture.")
    fields: dict[str, Any] = {name: value for name, value in form.items() if name not in files}
    if "picture" in fields:
        raise Unreadable("The field picture is text: send it as a file (with a file name), or use JSON with base64.")

    def parse() -> MemeInput:
        if "lenses" in fields:
            fields["lenses"] = [name for text in form.getlist("lenses") for name in str(text).split(",") if name]
        return replace(model.model_validate(fields).to_input(), data=data)

    return await run_in_threadpool(parse)


def _picture_too_large() -> TooLarge:
    return TooLarge(f"The picture has more than {MAX_BYTES // 1024**2} MB: save it smaller or as JPEG.")
