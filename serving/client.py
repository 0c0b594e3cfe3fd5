"""A typed client of the API, which waits and asks again where the server says so.

>>> subtext = Client("http://localhost:8501")
>>> subtext.analyze(Path("meme.png")).verdict.label
'not_hateful'
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import requests
from pydantic import TypeAdapter
from urllib3.util import Retry

from models.analysis import Analysis, Emotion, Harm, Source, Status, Verdict
from models.errors import SubtextError

AGAIN = (429, 502, 503, 504)  # answers after which the same request may be sent again: nothing of it was done
BACKOFF = 0.5  # seconds before the second try where the server names none, doubled each time


class ApiError(SubtextError):
    """The server refused; the text is its sentence. `status` 0: it could not be reached."""

    def __init__(self, sentence: str, status: int = 0, errors: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(sentence)
        self.status, self.errors = status, list(errors)


@dataclass(frozen=True)
class Meme:
    """A picture (bytes or a file), words, or both. Without a caption the server reads the picture; "" means no words."""

    picture: bytes | Path | None = None
    caption: str | None = None

    def data(self) -> bytes | None:
        return self.picture.read_bytes() if isinstance(self.picture, Path) else self.picture

    def to_dict(self) -> dict[str, Any]:
        data = self.data()
        told = {"picture": None if data is None else base64.b64encode(data).decode(), "caption": self.caption}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class Score:
    """One meme's short answer, or in `problem` the sentence that says what is wrong with it."""

    index: int
    verdict: Verdict | None = None
    harm: Harm | None = None
    caption: str | None = None
    caption_source: Source | None = None
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class Answered:
    """One question's answer, of a system that has several."""

    task: str
    question: str
    category: str
    scores: tuple[Emotion, ...]


@dataclass(frozen=True)
class Predicted:
    """A system's category and the scores that it was chosen by; `answers` where it has several questions."""

    system: str
    status: Status
    category: str
    scores: tuple[Emotion, ...]
    detail: str
    caption: str
    caption_source: Source
    answers: tuple[Answered, ...] = ()


class Client:
    """Safe to use from one thread; `tries` counts the first one, `timeout` is in seconds for each."""

    def __init__(self, address: str, *, key: str | None = None, tries: int = 6, timeout: float = 60.0) -> None:
        self.address, self.timeout = address.rstrip("/"), timeout
        self._session = requests.Session()
        retry = Retry(
            total=tries - 1,
            status_forcelist=AGAIN,
            allowed_methods=None,  # POST too: every question may be asked twice
            backoff_factor=BACKOFF,
            backoff_jitter=BACKOFF,
            respect_retry_after_header=True,
            raise_on_status=False,
        )
        adapter = requests.adapters.HTTPAdapter(max_retries=retry)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.headers["X-Deadline-S"] = f"{timeout:g}"
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session.close()

    def analyze(
        self,
        picture: bytes | Path | None = None,
        caption: str | None = None,
        *,
        explain: bool = True,
        lenses: Sequence[str] = (),
    ) -> Analysis:
        """Everything about one meme."""
        fields = {"explain": json.dumps(explain), **({"lenses": ",".join(lenses)} if lenses else {})}
        return Analysis.from_dict(self._send_form("/api/v1/analyze", Meme(picture, caption), fields))

    def score(self, memes: Sequence[Meme]) -> list[Score]:
        """Verdicts for many, in their order; a meme that cannot be used has its problem there."""
        if not memes:
            return []
        answer = self._send("POST", "/api/v1/score", json={"memes": [meme.to_dict() for meme in memes]})
        return TypeAdapter(list[Score]).validate_python(answer["results"])

    def predict(self, system: str, picture: bytes | Path | None = None, caption: str | None = None) -> Predicted:
        """The category that one system gives."""
        answer = self._send_form(
            f"/api/v1/systems/{requests.utils.quote(system, '')}/predict", Meme(picture, caption), {}
        )
        return TypeAdapter(Predicted).validate_python(answer)

    def models(self) -> dict[str, Any]:
        """What runs there."""
        return self._send("GET", "/api/v1/models")

    def _send_form(self, path: str, meme: Meme, fields: dict[str, str]) -> dict[str, Any]:
        data = meme.data()
        parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
        if meme.caption is not None:
            parts["caption"] = (None, meme.caption)
        if data is not None:
            parts["picture"] = ("meme", data, "application/octet-stream")
        if not parts:
            raise ApiError("There is nothing to send: give a picture, some words, or both.", 422)
        return self._send("POST", path, files=parts)

    def _send(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.address + path, timeout=self.timeout, **body)
        except requests.RequestException as error:
            raise ApiError(
                f"{self.address} cannot be reached ({type(error).__name__}): check the address and that it runs."
            ) from error
        try:
            told = answer.json()
        except ValueError as error:
            raise ApiError(
                f"{self.address} did not answer as Subtext does: check the address.", answer.status_code
            ) from error
        if answer.ok:
            found: dict[str, Any] = told
            return found
        raise ApiError(told.get("detail", answer.reason), answer.status_code, told.get("errors", ()))
