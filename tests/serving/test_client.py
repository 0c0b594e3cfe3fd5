"""The client over a real port: typed answers, and patience where the server asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from urllib3.util import retry

from models.analyzer import Analyzer
from serving import api
from serving.client import ApiError, Client, Meme
from serving.settings import Settings
from tests.conftest import drawn

WORDS = "we hate mondays"


def test_typed_answers(listening: Callable[..., str], tiny_analyzer: Analyzer, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(drawn())
    address = listening(api.create(Settings(keys=("k",)), lambda: tiny_analyzer))
    with Client(address, key="k") as client:
        whole = client.analyze(tmp_path / "a.png", WORDS, explain=False)  # waits until the models are loaded
        assert (whole.caption.text, whole.evidence.status) == (WORDS, "off")
        good, bad = client.score([Meme(tmp_path / "a.png", WORDS), Meme(b"broken", "")])
        assert good.verdict is not None and bad.verdict is None and bad.problem is not None
        assert good.verdict.logit == pytest.approx(whole.verdict.logit, abs=1e-4)
        assert client.predict("hate", caption=WORDS).category in ("hateful", "needs_review", "not_hateful")
        assert client.score([]) == []
        assert client.models()["profile"]["name"] == "mini"
        with pytest.raises(ApiError, match="There are: hate") as unknown:
            client.predict("no-such", caption=WORDS)
        assert unknown.value.status == 404
        with pytest.raises(ApiError, match="nothing to analyze") as empty:
            client.analyze(caption=" ")
        assert empty.value.status == 422
    with pytest.raises(ApiError, match="needs a key"):
        Client(address).models()


def test_it_comes_again_when_it_is_told_to(listening: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(429, "7"), (503, "9")])
    pauses: list[float] = []

    async def busy(_: Request) -> JSONResponse:
        status, retry_after = next(answers, (200, ""))
        if status == 200:
            return JSONResponse({"profile": {}})
        return JSONResponse({"detail": "Busy."}, status, {"Retry-After": retry_after})

    address = listening(Starlette(routes=[Route("/api/v1/models", busy)]))
    monkeypatch.setattr(retry, "time", SimpleNamespace(sleep=pauses.append, time=time.time))
    assert Client(address).models() == {"profile": {}}
    assert pauses == [7, 9]


def test_it_gives_up_with_the_servers_sentence(listening: Callable[..., str]) -> None:
    async def busy(_: Request) -> JSONResponse:
        return JSONResponse({"detail": "Busy."}, 503, {"Retry-After": "0"})

    async def other(_: Request) -> Any:
        return JSONResponse("<html>")

    address = listening(Starlette(routes=[Route("/api/v1/models", busy), Route("/x/api/v1/models", other)]))
    with pytest.raises(ApiError, match="Busy") as refused:
        Client(address, tries=2).models()
    assert refused.value.status == 503
    with pytest.raises(ApiError, match="did not answer as Subtext does"):
        Client(f"{address}/x").models()
    with pytest.raises(ApiError, match="cannot be reached"):
        Client("http://127.0.0.1:9", tries=1).models()
