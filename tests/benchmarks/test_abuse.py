"""The abuse benchmark measures what it says: hostile requests are what they claim to be, right answers are told from wrong."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import Image

from benchmarks import abuse, hostile
from benchmarks.abuse import Attack, Figures, Known
from models.io.images import open_picture
from serving.intake import decode_base64
from tests.conftest import drawn
from tests.serving.conftest import listening

__all__ = ["listening"]
KNOWN = Known("words", "Not hateful", 0.25)


def answer(words: str = "words", probability: float = 0.25) -> JSONResponse:
    return JSONResponse({"caption": {"text": words}, "verdict": {"probability": probability, "label": "not_hateful"}})


@pytest.fixture
def meme(tmp_path: Path) -> Path:
    path = tmp_path / "meme.png"
    path.write_bytes(drawn())
    return path


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([answer()], ""),
        ([JSONResponse({}, 503, {"Retry-After": "0"}), JSONResponse({}, 429, {"Retry-After": "0"}), answer()], ""),
        ([answer("other words")], "11 characters instead of 5"),
        ([answer(probability=0.3)], "0.300 instead of 0.250"),
        ([JSONResponse({"detail": "A sentence."}, 422)], "status 422: A sentence."),
    ],
)
def test_an_answer_is_right_or_it_is_said_what_is_wrong(
    answers: list[JSONResponse], problem: str, meme: Path, listening: Callable[[Any], str]
) -> None:
    app, given = FastAPI(), iter(answers)
    app.post("/api/v1/analyze")(lambda: next(given))
    under = Attack(listening(app), psutil.Process(), 60, 1_500)
    assert abuse.answer_by_api(under, meme, KNOWN) == problem


def test_health_and_memory_are_watched(listening: Callable[[Any], str]) -> None:
    app, figures = FastAPI(), Figures()
    app.get("/health")(lambda: time.sleep(0.3))
    under = Attack(listening(app), psutil.Process(), 1.0, 10**6)
    threads = [
        threading.Thread(target=watch, args=(under, figures)) for watch in (abuse.watch_health, abuse.watch_memory)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert max(figures.health_s) > 0.25
    assert figures.peak_mb >= psutil.Process(os.getpid()).memory_info().rss / 1024**2 * 0.9


def test_every_attack_is_sent_and_ends(listening: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "STALL_S", 0.1)
    app, paths = FastAPI(), set[str]()

    @app.post("/{path:path}")
    async def take(path: str, request: Request) -> None:
        paths.add(path)

    address = listening(app)
    for send in hostile.ATTACKS:
        send(address)
    assert paths == {"api/v1/analyze", "api/v1/score", "v1alpha1/comments:analyze"}


def test_bodies_are_what_they_claim_to_be() -> None:
    assert 31 * 1024**2 < len(hostile.comment_body()) <= 32 * 1024**2
    memes = json.loads(hostile.large_body())["memes"]
    assert len(memes) == 32 and len(hostile.large_body()) < 4 * 1024**2
    assert open_picture(decode_base64(memes[0]["picture"])).size == (5_000, 4_000)
    crowded = decode_base64(json.loads(hostile.crowded_body())["picture"])
    assert Image.open(io.BytesIO(crowded)).size == (4_000, 4_900)


def test_files_have_the_promised_sizes(tmp_path: Path) -> None:
    files = hostile.files(tmp_path)
    megabytes = {name: file.stat().st_size / 1024**2 for name, file in files.items()}
    assert 10 < megabytes["small.zip"] < 13 and 170 < megabytes["large.zip"] < 200
    assert megabytes["bomb.parquet"] < 1
    assert open_picture(hostile.noise(0)).format == "PNG"
