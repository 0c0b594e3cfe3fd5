"""A typed client of the API, which waits and tries again if the server says so.

>>> subtext = Client("http://localhost:8501")
>>> subtext.analyze(Path("meme.png")).verdict.label
'not_hateful'
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from urllib3.util import Retry

from models.analysis import Analysis
from models.errors import SubtextError
from serving.schemas import Predicted, Score, Scores

RETRY_STATUSES = (429, 502, 503, 504)  # after these the same request may be sent again: nothing of it was done
BACKOFF = 0.5  # seconds before the second try if the server names none, doubled each time


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

    def to_dict(self) -> dict[str, Any]:
        """As the API's JSON; what is None is left out."""
        data = self.picture.read_bytes() if isinstance(self.picture, Path) else self.picture
        fields = {"picture": None if data is None else base64.b64encode(data).decode(), "caption": self.caption}
        return {name: value for name, value in fields.items() if value is not None}


class Client:
    """For use from one thread. `tries` includes the first one; `timeout` is in seconds, for each."""

    def __init__(self, address: str, *, key: str | None = None, tries: int = 6, timeout: float = 60.0) -> None:
        self.address, self.timeout = address.rstrip("/"), timeout
        self._session = requests.Session()
        retry = Retry(
            total=tries - 1,
            status_forcelist=RETRY_STATUSES,
            allowed_methods=None,  # POST too: every request may be sent twice
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

    def __exit__(self, *_: object) -> None:
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
        body = {**Meme(picture, caption).to_dict(), "explain": explain, "lenses": list(lenses)}
        return Analysis.from_dict(self._send("POST", "/api/v1/analyze", body))

    def score(self, memes: Sequence[Meme]) -> list[Score]:
        """Verdicts for many, in their order; a meme that cannot be used has a `problem`."""
        if not memes:
            return []
        body = {"memes": [meme.to_dict() for meme in memes]}
        return Scores.model_validate(self._send("POST", "/api/v1/score", body)).results

    def predict(self, system: str, picture: bytes | Path | None = None, caption: str | None = None) -> Predicted:
        """The category that one system gives."""
        path = f"/api/v1/systems/{requests.utils.quote(system, '')}/predict"
        return Predicted.model_validate(self._send("POST", path, Meme(picture, caption).to_dict()))

    def models(self) -> dict[str, Any]:
        """What runs there."""
        return self._send("GET", "/api/v1/models")

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.address + path, timeout=self.timeout, json=body)
        except requests.RequestException as error:
            raise ApiError(
                f"{self.address} cannot be reached ({type(error).__name__}): check the address and that it runs."
            ) from error
        try:
            content = answer.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ApiError(f"{self.address} did not answer as Subtext does: check the address.", answer.status_code)
        if not answer.ok:
            raise ApiError(content.get("detail", answer.reason), answer.status_code, content.get("errors", ()))
        return content
