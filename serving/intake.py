"""A request's body to memes: multipart with a file, or JSON with base64. Nothing is ever fetched by address."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from models.errors import BadPicture
from models.io.captions import MOST_CHARACTERS
from models.io.images import MOST_BYTES, TAKEN
from serving.problems import TooLarge, Unreadable, WrongMedia, invalid
from serving.work import Asked

MULTIPART, JSON = "multipart/form-data", "application/json"
_DATA_URL = re.compile(r"\s*data:[\w.+/-]*(;[\w=.+-]+)*;base64,", re.ASCII)
_WIDEST = MOST_BYTES * 4 // 3 + 200  # characters of base64 that a picture may take, with a data URL's beginning


def decoded(text: str) -> bytes:
    """base64, with or without a data URL's beginning; line breaks are passed over. Raises `TooLarge` or `BadPicture`."""
    if len(text) > _WIDEST:
        raise TooLarge(f"The picture has more than {MOST_BYTES // 1024**2} MB: save it smaller or as JPEG.")
    plain = re.sub(r"\s+", "", _DATA_URL.sub("", text, count=1))
    try:
        return base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPicture(
            "The picture is not base64: send the file's bytes encoded; addresses (http://...) are never fetched."
        ) from error


Picture = Annotated[
    str | None,
    Field(
        description=f"The bytes of a {TAKEN} file, at most 10 MB and 20 megapixels (a JPEG: 60), in base64 (a data URL is fine)."
    ),
]
Words = Annotated[
    str | None,
    Field(
        description=f'The words, at most {MOST_CHARACTERS:,} characters. Left out: they are read off the picture; "": none.'
    ),
]
Explain = Annotated[bool, Field(description="Also measure what moved the score; takes some ten times as long.")]
Lenses = Annotated[list[str], Field(max_length=32, description="Further readings by name; /api/v1/models lists them.")]
Read = Annotated[bool, Field(description="Read words off the picture where no caption is given.")]


class Meme(BaseModel):
    """A picture, words, or both."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    picture: Picture = None
    caption: Words = None
    read: Read = True

    def asked(self) -> Asked:
        """Raises `TooLarge` or `BadPicture` where the picture cannot be decoded from base64."""
        return Asked(self._data(), self.caption, read=self.read)

    def _data(self) -> bytes | None:
        return decoded(self.picture) if self.picture is not None else None


class Question(Meme):
    """A meme and what is to be told about it."""

    explain: Explain = True
    lenses: Lenses = []

    def asked(self) -> Asked:
        return Asked(self._data(), self.caption, self.explain, tuple(self.lenses), self.read)


async def read(request: Request, model: type[Meme]) -> Asked:
    """The meme of a request, by its content type. Raises `WrongMedia`, `TooLarge` or `Unreadable`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == JSON:
        try:
            return model.model_validate_json(await request.body()).asked()
        except ValidationError as error:
            raise invalid(error.errors()) from None  # the original quotes what was sent
    if media == MULTIPART:
        return await from_form(request, model)
    raise WrongMedia(f"The body is to be {MULTIPART} with a file named picture, or {JSON} with base64.")


async def from_form(request: Request, model: type[Meme]) -> Asked:
    """Fields of the names that the JSON has; the picture is a file."""
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=40, max_part_size=256 * 1024)
    parser.spool_max_size = MOST_BYTES + 1024**2  # pictures stay in memory; larger ones are refused below
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError, AssertionError) as error:
        raise Unreadable(
            "The multipart body cannot be read: send one file named picture, and caption as a text field."
        ) from error
    try:
        data = await _file(form)
    finally:
        await form.close()
    fields = {name for name, value in form.multi_items() if not isinstance(value, UploadFile)} - {"picture"}
    plain: dict[str, Any] = {name: form[name] for name in fields if name != "lenses"}
    if "lenses" in fields:
        plain["lenses"] = [one for text in form.getlist("lenses") for one in str(text).split(",") if one]
    try:
        asked = model.model_validate(plain).asked()
    except ValidationError as error:
        raise invalid(error.errors()) from None
    return Asked(data, asked.caption, asked.explain, asked.lenses, asked.read)


async def _file(form: FormData) -> bytes | None:
    files = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        if "picture" in form:
            raise Unreadable(
                "The field picture is text: send it as a file (with a file name), or use JSON with base64."
            )
        return None
    name, file = files[0]
    if name != "picture":
        raise Unreadable("The file is to be named picture.")
    if (file.size or 0) > MOST_BYTES:
        raise TooLarge(f"The picture has more than {MOST_BYTES // 1024**2} MB: save it smaller or as JPEG.")
    data = await file.read()
    if not data and not file.filename:
        return None  # a browser's form whose file was left empty
    return data
