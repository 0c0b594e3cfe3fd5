"""What one caller sends does not hold the others up: `/health` answers while hostile bodies are read, and nothing is built
from a body before its sizes and counts are checked."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from fastapi.testclient import TestClient

from models.errors import BadCaption, BadPicture
from models.io.captions import MAX_CHARACTERS
from serving import api, intake, perspective, predictors
from serving.bodies import check_values
from serving.problems import TooLarge
from serving.settings import Settings
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until

MEGABYTE = 1024**2
PERSPECTIVE = "/v1alpha1/comments:analyze"
FULL = b'{"picture": "%s"}'
HOSTILE: dict[str, Callable[[], tuple[str, bytes]]] = {
    "spaces before nothing": lambda: ("/api/v1/analyze", FULL % (b" " * (13 * MEGABYTE))),
    "spaces between letters": lambda: ("/api/v1/analyze", FULL % (b"A " * (6 * MEGABYTE))),
    "data URLs that do not end": lambda: ("/api/v1/analyze", FULL % (b"data:;" * (2 * MEGABYTE))),
    "escapes": lambda: ("/api/v1/analyze", FULL % (b'\\"' * (15 * MEGABYTE))),
    "a body of spaces": lambda: ("/api/v1/analyze", b" " * (31 * MEGABYTE)),
    "a long number": lambda: ("/api/v1/analyze", b'{"picture": %s}' % (b"1" * (31 * MEGABYTE))),
    "empty memes": lambda: ("/api/v1/score", b'{"memes": [%s{}]}' % (b"{}," * (10 * MEGABYTE))),
    "unknown fields": lambda: ("/api/v1/score", b'{"memes": [{%s"a": 1}]}' % (b'"a":1,' * (5 * MEGABYTE))),
    "brackets": lambda: ("/api/v1/score", b"[" * (31 * MEGABYTE)),
    "a long comment": lambda: (
        PERSPECTIVE,
        b'{"comment": {"text": "%s"}, "requestedAttributes": {"TOXICITY": {}}}' % ("Á".encode() * (15 * MEGABYTE)),
    ),
}


@pytest.fixture
def address(listening: Callable[..., str]) -> str:
    """A server over the fake that is ready."""
    address = listening(api.create(Settings(), FakeAnalyzer))
    wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok)
    return address


@pytest.mark.parametrize("name", HOSTILE)
def test_health_answers_while_a_hostile_body_is_read(address: str, name: str) -> None:
    path, body = HOSTILE[name]()
    answers = []

    def send() -> None:
        answers.append(requests.post(address + path, body, headers={"content-type": "application/json"}, timeout=60))

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    health_s = []
    while sender.is_alive():
        start = time.perf_counter()
        assert requests.get(f"{address}/health", timeout=60).ok
        health_s.append(time.perf_counter() - start)
        time.sleep(0.02)
    assert max(health_s, default=0) < 1
    assert answers[0].status_code in (400, 413, 422), answers[0].text
    assert len(answers[0].content) < 10_000


@pytest.mark.parametrize("path", ["/api/v1/score", "/api/v1/analyze", PERSPECTIVE])
def test_memes_are_counted_before_anything_is_built_from_them(served: Callable[..., TestClient], path: str) -> None:
    client = served(FakeAnalyzer())
    body = b'{"memes": [%s{}]}' % (b"{}," * 100_000)
    tracemalloc.start()
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == (400 if path == PERSPECTIVE else 413)
    assert peak < 10 * len(body)


def test_loading_the_systems_holds_nobody_up(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More callers than there are worker threads ask for what is being loaded."""

    def load_slowly(_: object) -> dict[str, object]:
        time.sleep(0.05)
        return {}

    monkeypatch.setattr(predictors, "registry", load_slowly)
    with ThreadPoolExecutor(60) as callers:
        answers = [callers.submit(requests.get, f"{address}/api/v1/models", timeout=60) for _ in range(60)]
        time.sleep(0.3)
        start = time.perf_counter()
        assert requests.get(f"{address}/health", timeout=60).ok
        assert requests.post(f"{address}/api/v1/score", json={"memes": [{"caption": "a"}]}, timeout=60).ok
        assert time.perf_counter() - start < 1
        assert sum(answer.done() for answer in answers) < len(answers)
        assert all(answer.result().ok for answer in answers)


def test_values_are_counted_outside_strings_alone() -> None:
    caption = 'lists, [brackets] and {braces}, "quotes" and \\backslashes\\' * 100
    check_values(json.dumps({"memes": [{"caption": caption}, {"caption": caption + "\\"}]}).encode(), 12)
    for body in (b'""' * 10, b"[" * 20, b"{}," * 10, b'"a\\\\",' * 10):
        check_values(body, 20)
        with pytest.raises(TooLarge, match="documented fields"):
            check_values(body, 19)
    check_values(b'"' + b'\\"' * 1000, 1)  # a string that does not end


def test_a_full_request_is_read() -> None:
    lenses = [f"lens {number}" for number in range(32)]
    meme = {"picture": "", "caption": ", " * (MAX_CHARACTERS // 2), "read": True, "explain": True, "lenses": lenses}
    check_values(json.dumps(meme).encode(), intake.VALUES_PER_MEME)


def test_a_comment_is_measured_before_it_is_normalised(
    served: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []
    normalize = perspective.normalize
    monkeypatch.setattr(perspective, "normalize", lambda text: lengths.append(len(text)) or normalize(text))
    client = served(FakeAnalyzer())

    def ask(text: str) -> requests.Response:
        return client.post(PERSPECTIVE, json={"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}})

    assert ask("a" * MAX_CHARACTERS).status_code == 200
    error = ask("a" * (MAX_CHARACTERS + 1)).json()["error"]
    assert error["details"][0]["errorType"] == "COMMENT_TOO_LONG"
    assert lengths == [MAX_CHARACTERS]
    large = ask("a" * MEGABYTE)
    assert (large.status_code, "at most 1 MB" in large.json()["error"]["message"]) == (400, True)


def test_a_caption_is_measured_before_it_waits_in_the_queue() -> None:
    with pytest.raises(BadCaption, match="shorten"):
        intake.Meme(caption="a" * (MAX_CHARACTERS + 1)).to_input()


@pytest.mark.parametrize(
    "beginning", ["", "data:image/png;base64,", " \n data:;base64,", "data:a;charset=utf-8;base64,"]
)
def test_what_may_stand_before_base64(beginning: str) -> None:
    assert intake.decode_base64(f"{beginning}aGVs\r\n bG8=\n") == b"hello"


@pytest.mark.parametrize("text", ["data:image/png,aGVsbG8=", "aGVsbG8=data:;base64,", "aGVsbG8", "aGVs\u00a0bG8=", "ä"])
def test_what_is_not_base64(text: str) -> None:
    with pytest.raises(BadPicture, match="never fetched"):
        intake.decode_base64(text)


def test_few_of_many_problems_are_listed(served: Callable[..., TestClient]) -> None:
    meme = {f"{number:0500}": 1 for number in range(80)}
    answer = served(FakeAnalyzer()).post("/api/v1/score", json={"memes": [meme]})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 20)
    assert len(answer.content) < 10_000
