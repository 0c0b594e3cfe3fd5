"""The other service's form: what its callers send is understood, and they get what they look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

if TYPE_CHECKING:
    from models.analyzer import Analyzer

PATH = "/v1alpha1/comments:analyze"
WORDS = "we hate mondays"


def ask(client: TestClient, text: str = WORDS, query: str = "", **more: Any) -> Any:
    body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, **more}
    return client.post(PATH + query, json=body)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert (error["code"], error["status"]) == (status, code)
    assert error["message"]
    return error


def test_both_attributes_carry_our_score(client: TestClient) -> None:
    ours = client.post("/api/v1/score", json={"memes": [{"caption": WORDS}]}).json()["results"][0]["verdict"]
    wanted = {"TOXICITY": {}, "IDENTITY_ATTACK": {"scoreType": "PROBABILITY"}}
    answer = ask(client, requestedAttributes=wanted, clientToken="t", languages=["en"], doNotStore=True).json()
    assert set(answer["attributeScores"]) == set(wanted)
    for scores in answer["attributeScores"].values():
        assert scores["summaryScore"] == {"value": pytest.approx(ours["probability"], abs=1e-6), "type": "PROBABILITY"}
        assert scores["spanScores"] == [{"begin": 0, "end": len(WORDS), "score": scores["summaryScore"]}]
    assert (answer["languages"], answer["detectedLanguages"], answer["clientToken"]) == (["en"], ["en"], "t")


GERMAN = "Der Nachbar backt am Sonntag wieder Kuchen"


def test_a_language_that_was_not_measured_is_refused_unless_it_is_named(client: TestClient) -> None:
    error = refused(ask(client, GERMAN), 400, "INVALID_ARGUMENT")["details"][0]
    assert error["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    languages = error["languageNotSupportedByAttributeError"]
    assert languages == {"requestedLanguages": ["de"], "supportedLanguages": ["en"]}
    answer = ask(client, GERMAN, languages=["en-GB"]).json()
    assert (answer["languages"], answer["detectedLanguages"]) == (["en-GB"], ["de"])
    assert answer["attributeScores"]["TOXICITY"]
    assert ask(client, "lol").json()["detectedLanguages"] == ["und"]


def test_a_score_below_the_threshold_is_left_out(client: TestClient) -> None:
    value = ask(client).json()["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
    for threshold, included in ((value - 0.01, True), (value + 0.01, False)):
        answer = ask(client, requestedAttributes={"TOXICITY": {"scoreThreshold": threshold}}).json()
        assert ("TOXICITY" in answer["attributeScores"]) == included


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"text": " "}, "COMMENT_EMPTY"),
        ({"text": "a" * 10_001}, "COMMENT_TOO_LONG"),
        ({"requestedAttributes": {"SPAM": {}}}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"requestedAttributes": {}}, "ATTRIBUTE_NOT_SUPPORTED"),
        ({"languages": ["de"]}, "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
        ({"comment": 3}, "INVALID_ARGUMENT"),
    ],
)
def test_what_cannot_be_answered_is_told_as_there(client: TestClient, body: dict[str, Any], kind: str) -> None:
    error = refused(ask(client, **body), 400, "INVALID_ARGUMENT")
    assert error["details"][0]["errorType"] == kind


def test_no_json_at_all(client: TestClient) -> None:
    for data in (b"", b"{", b"\xff", b"[" * 100_000, b"3"):
        refused(client.post(PATH, content=data), 400, "INVALID_ARGUMENT")


def test_the_key_stands_where_that_service_takes_it(served: Callable[..., TestClient], tiny_analyzer: Analyzer) -> None:
    client = served(tiny_analyzer, keys=("right",), rate="3/minute")
    refused(ask(client), 401, "UNAUTHENTICATED")
    refused(ask(client, query="?key=wrong"), 401, "UNAUTHENTICATED")
    assert [ask(client, query="?key=right").status_code for _ in range(3)] == [200] * 3
    again = ask(client, query="?key=right")
    refused(again, 429, "RESOURCE_EXHAUSTED")
    assert int(again.headers["retry-after"]) >= 1
