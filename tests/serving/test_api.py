"""The routes on tiny weights: the same numbers as the library's, and every refusal says the fix."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from components.shared import visit as page
from models.analysis import Analysis, Line, Meme
from models.errors import BadWeights, PartUnavailable
from models.io import captions
from models.io.images import MAX_BYTES, open_picture
from serving import api, problems
from serving.settings import Settings
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer, FakeReader
from tests.serving.conftest import wait_until

if TYPE_CHECKING:
    from models.analyzer import Analyzer

PICTURE, WORDS = drawn(), "we hate mondays"
SECRET = "the words of a caption that nobody may log"
LINE = Line("we love the people", 0.97, (1.0, 2.0, 30.0, 9.0))


@pytest.fixture
def reading(tiny_analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    """The tiny analyzer with an OCR that reads one line from every picture."""
    reader = FakeReader([LINE])
    monkeypatch.setattr(tiny_analyzer, "reader", reader)
    return reader


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def post(client: TestClient, what: str = "analyze", **body: Any) -> Any:
    return client.post(f"/api/v1/{what}", json=body)


def same(first: Analysis, second: Analysis) -> bool:
    return replace(first, stages=()) == replace(second, stages=())


def is_problem(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    body = answer.json()
    assert (body["type"], body["status"]) == ("about:blank", status)
    assert body["detail"].endswith((".", ").", "?"))
    return str(body["detail"])


def test_library_page_json_and_form_give_the_same_numbers(
    client: TestClient, tiny_analyzer: Analyzer, reading: FakeReader
) -> None:
    picture = open_picture(PICTURE)
    caption = captions.read(picture.image, None, tiny_analyzer.reader)
    library = tiny_analyzer.analyze(Meme(picture.image, caption, picture.format, picture.sha256))
    visit = page.Visit()
    visit.take(picture, None)
    shown = page.run(visit, page.read(visit, tiny_analyzer, lambda _: None), tiny_analyzer, lambda _: None)
    as_json = Analysis.from_dict(post(client, picture=b64(PICTURE)).json())
    as_form = Analysis.from_dict(client.post("/api/v1/analyze", files={"picture": ("a.png", PICTURE)}).json())
    assert same(as_json, library) and same(as_form, library) and same(shown, library)
    assert library.caption.text == LINE.text
    assert [stage.name for stage in as_json.stages[:2]] == ["decode", "ocr"]


def test_the_caption_is_taken_as_on_the_page(client: TestClient, tiny_analyzer: Analyzer, reading: FakeReader) -> None:
    data = {"caption": WORDS, "explain": "false"}
    answer = client.post("/api/v1/analyze", data=data, files={"picture": ("a.png", PICTURE)}).json()
    assert (answer["caption"]["text"], answer["caption"]["source"]) == (WORDS, "override")
    assert answer["evidence"]["status"] == "off"
    silent = post(client, picture=b64(PICTURE), caption="", explain=False).json()
    unread = post(client, picture=b64(PICTURE), read=False, explain=False).json()
    assert silent["caption"]["source"] == unread["caption"]["source"] == "none"
    assert silent["verdict"] == unread["verdict"]
    assert reading.calls == 0
    alone = client.post("/api/v1/analyze", data={"caption": WORDS}, files={"none": ("", b"")})
    assert is_problem(alone, 422)


def test_a_data_url_and_line_breaks_are_base64_too(client: TestClient) -> None:
    url = f"data:image/png;base64,{b64(PICTURE)[:60]}\n{b64(PICTURE)[60:]}"
    first, second = (post(client, picture=text, caption=WORDS, explain=False) for text in (url, b64(PICTURE)))
    assert first.status_code == 200
    assert first.json()["verdict"] == second.json()["verdict"]


def test_without_an_ocr_the_picture_is_judged_alone(
    client: TestClient, tiny_analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_analyzer, "reader", FakeReader(error=PartUnavailable("It is not installed.")))
    answer = post(client, picture=b64(PICTURE), explain=False).json()
    assert answer["caption"]["source"] == "none"
    assert {"ocr": "failed"}.items() <= {stage["name"]: stage["status"] for stage in answer["stages"]}.items()


def test_many_are_scored_in_order_and_a_bad_one_takes_none_with_it(
    client: TestClient, tiny_analyzer: Analyzer, reading: FakeReader
) -> None:
    memes = [
        {"caption": WORDS},
        {"picture": b64(b"no picture")},
        {"picture": b64(PICTURE), "caption": ""},
        {"caption": ""},
        {"picture": "http://example.org/a.png"},
        {"picture": b64(PICTURE)},
    ]
    results = post(client, "score", memes=memes).json()["results"]
    assert [result["index"] for result in results] == list(range(6))
    assert [result.get("problem", {}).get("status") for result in results] == [None, 422, None, 422, 422, None]
    assert "never fetched" in results[4]["problem"]["detail"]
    for index in (0, 2, 5):
        alone = post(client, explain=False, **memes[index]).json()
        assert results[index]["verdict"]["logit"] == pytest.approx(alone["verdict"]["logit"], abs=1e-4)
        assert results[index]["harm"]["probability"] == pytest.approx(alone["harm"]["probability"], abs=1e-4)
    assert results[5]["caption"] == LINE.text
    assert results[0]["language"] == post(client, explain=False, **memes[0]).json()["caption"]["language"]


@pytest.mark.parametrize("name", ["hate", "harm", "text-emotions", "face-expressions"])
def test_each_system_gives_a_category_of_its_own(client: TestClient, name: str) -> None:
    (listed,) = [system for system in client.get("/api/v1/models").json()["systems"] if system["name"] == name]
    answer = post(client, f"systems/{name}/predict", picture=b64(PICTURE), caption=WORDS).json()
    assert (answer["system"], answer["caption"], answer["caption_source"]) == (name, WORDS, "override")
    assert answer["language"] == "en"
    if name == "face-expressions":
        assert (answer["status"], answer["category"], answer["scores"]) == ("no_face", "", [])
    else:
        assert answer["status"] == "ok"
        assert answer["category"] in listed["labels"]


def test_the_systems_say_what_the_analysis_says(client: TestClient) -> None:
    whole = post(client, caption=WORDS, explain=False).json()
    hate = post(client, "systems/hate/predict", caption=WORDS).json()
    assert hate["category"] == whole["verdict"]["label"]
    assert hate["scores"][0]["probability"] == pytest.approx(whole["verdict"]["probability"], abs=1e-5)
    harm = post(client, "systems/harm/predict", caption=WORDS).json()
    assert harm["scores"][0]["probability"] == pytest.approx(whole["harm"]["probability"], abs=1e-5)
    emotions = post(client, "systems/text-emotions/predict", caption=WORDS).json()
    likeliest = max(whole["emotions"]["text"]["scores"], key=lambda score: score["probability"])
    assert emotions["category"] == likeliest["label"]


def test_an_unknown_system_is_told_with_those_that_there_are(client: TestClient) -> None:
    detail = is_problem(post(client, "systems/text-emotion/predict", caption=WORDS), 404)
    assert "Did you mean text-emotions?" in detail and "face-expressions" in detail
    assert is_problem(post(client, "systems/%00/predict", caption=WORDS), 404)


def test_what_runs_is_told(client: TestClient, tiny_analyzer: Analyzer) -> None:
    answer = client.get("/api/v1/models").json()
    assert answer["profile"]["weights"] == tiny_analyzer.info.weights
    assert answer["profile"]["languages"] == ["en"]
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "nothing to analyze"),
        ({"caption": " \u200b "}, "nothing to analyze"),
        ({"caption": "a" * 10_001}, "shorten"),
        ({"picture": b64(b"hello there")}, "text file"),
        ({"picture": "*"}, "base64"),
        ({"caption": 7}, "caption"),
        ({"unknown": 1}, "unknown"),
        ({"caption": WORDS, "lenses": ["nonesuch"]}, "nonesuch"),
    ],
)
def test_what_cannot_be_used_is_told(client: TestClient, body: dict[str, Any], says: str) -> None:
    assert says in is_problem(post(client, explain=False, **body), 422)


def test_a_body_that_is_no_json_and_no_form(client: TestClient) -> None:
    def send(data: bytes, media: str) -> Any:
        return client.post("/api/v1/analyze", content=data, headers={"content-type": media})

    assert "application/json" in is_problem(send(b"<a/>", "text/xml"), 415)
    assert is_problem(send(b"{", "application/json"), 422)
    assert is_problem(send(b"\xff\xfe", "application/json"), 422)
    assert is_problem(send(b"nothing", "multipart/form-data"), 422)
    assert is_problem(send(b"nothing", "multipart/form-data; boundary=x"), 422)
    assert is_problem(client.post("/api/v1/score", data={"memes": "1"}, files={"a": b""}), 415)
    as_text = client.post("/api/v1/analyze", files={"picture": (None, "text")})
    assert "send it as a file" in is_problem(as_text, 422)


def test_too_many_bytes_are_refused_told_or_not(served: Callable[..., TestClient], tiny_analyzer: Analyzer) -> None:
    client = served(tiny_analyzer, body_mb=1)

    def drip() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65536

    assert "at most 1 MB" in is_problem(post(client, picture="a" * 1024**2), 413)
    dripped = client.post("/api/v1/analyze", content=drip(), headers={"content-type": "application/json"})
    assert "more than 1 MB" in is_problem(dripped, 413)
    assert is_problem(served(tiny_analyzer).post("/api/v1/analyze", files={"picture": bytes(MAX_BYTES + 1)}), 413)


def test_too_many_memes_are_refused(served: Callable[..., TestClient], tiny_analyzer: Analyzer) -> None:
    client = served(tiny_analyzer, memes=2)
    assert "at most 2" in is_problem(post(client, "score", memes=[{"caption": "a"}] * 3), 413)
    assert is_problem(post(client, "score", memes=[]), 422)


def test_a_key_where_one_is_set(served: Callable[..., TestClient], tiny_analyzer: Analyzer) -> None:
    client = served(tiny_analyzer, keys=("right", "also right"))
    assert "Bearer" in is_problem(post(client, caption=WORDS), 401)
    for headers in ({"Authorization": "Bearer wrong"}, {"X-API-Key": ""}, {"Authorization": "right"}):
        assert is_problem(client.get("/api/v1/models", headers=headers), 401)
    for headers in ({"Authorization": "Bearer right"}, {"X-API-Key": "also right"}):
        assert client.get("/api/v1/models", headers=headers).status_code == 200
    assert is_problem(client.get("/api/v1/models?key=right"), 401)
    assert client.get("/health").status_code == client.get("/metrics").status_code == 200


def test_a_caller_who_asks_too_often_is_told_when_to_come_again(
    served: Callable[..., TestClient], tiny_analyzer: Analyzer
) -> None:
    client = served(tiny_analyzer, rate="2/minute", keys=("a", "b"))
    answers = [client.get("/api/v1/models", headers={"X-API-Key": key}) for key in "aaab"]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert is_problem(answers[2], 429)
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60


def test_before_the_models_are_loaded_and_where_they_are_damaged() -> None:
    def damaged() -> Any:
        raise BadWeights("weights/x is damaged: run this.")

    with TestClient(api.create(Settings(), damaged)) as client:
        wait_until(lambda: "damaged" in client.get("/ready").text)
        answer = client.get("/ready")
        assert "run this" in is_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
        assert client.get("/health").status_code == 200
        assert is_problem(post(client, caption=WORDS), 503)


def test_an_unforeseen_failure_is_a_problem_that_quotes_nothing(
    served: Callable[..., TestClient], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = served(FakeAnalyzer(error=ValueError(SECRET)))
    answer = post(client, caption=SECRET)
    assert is_problem(answer, 500) == problems.UNEXPECTED
    written = capsys.readouterr()
    assert SECRET not in written.out + written.err + caplog.text + answer.text
    assert "ValueError at" in caplog.text


def test_the_log_has_ids_and_times_and_nothing_of_the_meme(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    files = {"picture": (f"{SECRET}.png", PICTURE)}
    headers = {"x-request-id": "mine-1", "traceparent": trace}
    answer = client.post("/api/v1/analyze", data={"caption": SECRET}, files=files, headers=headers)
    assert answer.headers["x-request-id"] == "mine-1"
    assert "picture;dur=" in answer.headers["server-timing"]
    client.get(f"/api/v1/{SECRET}", headers={"x-request-id": f"{SECRET}\n"})
    client.get("/health")
    written = capsys.readouterr().err
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    (logged,) = [line for line in lines if line.get("request") == "mine-1"]
    assert (logged["route"], logged["status"], logged["memes"], logged["failed"]) == ("/api/v1/analyze", 200, 1, 0)
    assert (logged["trace"], logged["ms"] > 0) == (trace.split("-")[1], True)
    assert SECRET not in written and "/health" not in written


def test_the_counters(client: TestClient) -> None:
    post(client, "score", memes=[{"caption": WORDS}, {"caption": ""}])
    text = client.get("/metrics").text
    assert 'subtext_memes_total{kind="score"} 1.0' in text
    assert 'subtext_requests_total{route="/api/v1/score",status="200"} 1.0' in text
    assert "subtext_ready 1.0" in text
    assert "subtext_queue_wait_seconds_count 2.0" in text


def test_the_examples_of_the_documentation_work(client: TestClient, reading: FakeReader) -> None:
    document = client.get("/api/openapi.json").json()
    tried = 0
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = [entry["value"] for entry in content.get("examples", {}).values()]
        for example in [*examples, *([content["example"]] if "example" in content else [])]:
            answer = client.post(path.replace("{name}", "hate"), json=example)
            assert answer.status_code == 200, (path, answer.text)
            tried += 1
    assert tried == 8
