"""However many large pictures come at once, few of them are open at a time."""

from __future__ import annotations

import base64
import gc
import io
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from models.analysis import Meme
from models.io.images import IN_FLIGHT, MAX_OPEN_PIXELS, Picture
from serving import work
from serving.batch.inputs import Item
from serving.batch.judge import Options, judge
from serving.work import SCORE, TOGETHER, MemeInput, in_parts
from tests.fakes import FakeAnalyzer

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

MEMES = 16


def large() -> bytes:
    """20 megapixels in a few kilobytes."""
    buffer = io.BytesIO()
    Image.new("1", (5_000, 4_000)).save(buffer, "PNG")
    return buffer.getvalue()


class Opened:
    """Counts the pixels that are open: from the moment that a picture was opened until its meme is answered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, analyzer: FakeAnalyzer) -> None:
        self.lock, self.now, self.most, self.answered = threading.Lock(), 0, 0, 0
        self.pictures: list[weakref.ref[Image.Image]] = []
        self._judge = analyzer.judge
        monkeypatch.setattr(work, "open_picture", self.open)
        monkeypatch.setattr(analyzer, "judge", self.judge)

    def open(self, data: bytes) -> Picture:
        with self.lock:
            self.now += MAX_OPEN_PIXELS
            self.most = max(self.most, self.now)
        picture = Picture(Image.new("RGB", (8, 8)), "PNG", "00", (5_000, 4_000))
        self.pictures.append(weakref.ref(picture.image))
        return picture

    def judge(self, memes: Sequence[Meme]) -> Any:
        answers = self._judge(memes)
        with self.lock:
            self.now -= MAX_OPEN_PIXELS * len(memes)
            self.answered += len(memes)
        return answers


def score(analyzer: FakeAnalyzer, data: bytes) -> list[Any]:
    answers: list[Any] = []
    while len(answers) < MEMES:
        answers += work.run(SCORE, [MemeInput(data, "")] * (MEMES - len(answers)), analyzer)  # type: ignore[arg-type]
    return answers


def batch(analyzer: FakeAnalyzer, data: bytes) -> list[Any]:
    return list(judge([Item("a", MemeInput(data, ""))] * MEMES, analyzer, Options()))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", [score, batch])
def test_one_budget_of_pixels_for_everybody(way: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer, data = FakeAnalyzer(), large()
    opened = Opened(monkeypatch, analyzer)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: way(analyzer, data), range(3)))
    assert opened.answered == 3 * MEMES
    assert opened.most <= IN_FLIGHT.units < MEMES * MAX_OPEN_PIXELS


def test_no_answer_keeps_its_picture_open(monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer = FakeAnalyzer()
    opened = Opened(monkeypatch, analyzer)
    answers = score(analyzer, large())
    gc.collect()
    assert len(answers) == len(opened.pictures) == MEMES
    assert [picture() for picture in opened.pictures] == [None] * MEMES


def test_a_worker_answers_one_large_picture_at_a_time_and_many_words() -> None:
    items = [MemeInput(large(), "")] * 5 + [MemeInput(None, "words")]
    assert len(work.run(SCORE, items, FakeAnalyzer())) == 1  # type: ignore[arg-type]
    assert len(work.run(SCORE, items[5:] * 16, FakeAnalyzer())) == 16  # type: ignore[arg-type]


def test_parts_hold_what_fits_in_order() -> None:
    sizes = [TOGETHER // 2, TOGETHER // 2, 1, 2 * TOGETHER, 0, 0, 0]
    parts = list(in_parts(sizes, lambda size: size, 2))
    assert [part for part, _ in parts] == [sizes[:2], sizes[2:3], sizes[3:4], sizes[4:6], sizes[6:]]
    assert [pixels for _, pixels in parts] == [TOGETHER // 2 * 2, 1, 2 * TOGETHER, 0, 0]
    assert list(in_parts([], len, 2)) == []


def test_the_size_that_was_sent_is_reported(client: TestClient) -> None:
    body = {"picture": base64.b64encode(large()).decode(), "caption": "words", "explain": False}
    image = client.post("/api/v1/analyze", json=body).json()["image"]
    assert (image["width"], image["height"]) == (5_000, 4_000)
