"""Whose calls they are, and how many keys one may try."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient

from models.errors import BadInput
from serving import api
from serving.callers import WRONG_KEYS, address_of
from serving.queue import WorkQueue
from serving.settings import Settings
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until

PROXY = "10.0.0.7"
From = Callable[..., TestClient]


@pytest.fixture
def call_from() -> Iterator[From]:
    """Makes clients at an address, of one API with the settings of the first."""
    with ExitStack() as opened:
        apis = []

        def make(address: str, **settings: object) -> TestClient:
            if not apis:
                apis.append(api.create(Settings(**settings), FakeAnalyzer))
                first = opened.enter_context(TestClient(apis[0]))
                wait_until(lambda: first.get("/ready").status_code == 200)
            return TestClient(apis[0], client=(address, 50_000))

        yield make


def statuses(client: TestClient, count: int, forwarded: str = "", key: str = "") -> list[int]:
    headers = {name: value for name, value in (("X-Forwarded-For", forwarded), ("X-API-Key", key)) if value}
    return [client.get("/api/v1/models", headers=headers).status_code for _ in range(count)]


def test_the_queue_is_told_who_calls(call_from: From, monkeypatch: pytest.MonkeyPatch) -> None:
    callers: list[str] = []

    async def submit(kind: object, items: list[object], *, deadline_s: float, caller: str) -> list[Exception]:
        callers.append(caller)
        return [BadInput("not today")]

    monkeypatch.setattr(WorkQueue, "submit", lambda _, *args, **options: submit(*args, **options))
    for address in ("198.51.100.1", "198.51.100.2"):
        client = call_from(address)
        client.post("/api/v1/analyze", json={"caption": "words"})
        client.post(
            "/v1alpha1/comments:analyze", json={"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {}}}
        )
    assert callers == ["198.51.100.1"] * 2 + ["198.51.100.2"] * 2


def test_behind_a_named_proxy_each_caller_has_a_rate(call_from: From) -> None:
    proxy = call_from(PROXY, rate="2/minute", proxies=("10.0.0.0/8", "192.0.2.1"))
    assert statuses(proxy, 3, "198.51.100.1") == [200, 200, 429]
    assert statuses(proxy, 3, "198.51.100.2") == [200, 200, 429]
    assert statuses(proxy, 1, "203.0.113.9, 198.51.100.1") == [429]  # what a caller itself puts there is not believed
    assert statuses(proxy, 1, "198.51.100.1, 192.0.2.1") == [429]  # two proxies
    assert statuses(proxy, 3) == [200, 200, 429]


def test_from_others_no_forwarded_address_is_taken(call_from: From) -> None:
    caller = call_from("198.51.100.1", rate="2/minute", proxies=(PROXY,))
    assert [statuses(caller, 1, f"203.0.113.{number}")[0] for number in range(3)] == [200, 200, 429]
    assert statuses(call_from("198.51.100.2"), 1) == [200]


def test_without_named_proxies_none_is_believed(call_from: From) -> None:
    caller = call_from(PROXY, rate="2/minute")
    assert [statuses(caller, 1, f"203.0.113.{number}")[0] for number in range(3)] == [200, 200, 429]


def test_wrong_keys_are_limited_and_neighbours_are_not_locked_out(call_from: From) -> None:
    guesser, most = call_from("198.51.100.1", keys=("right", "also right")), WRONG_KEYS.amount
    assert statuses(guesser, 1, key="right") == [200]
    guesses = [statuses(guesser, 1, key=f"guess {number}")[0] for number in range(most + 1)]
    assert guesses == [401] * most + [429]
    assert statuses(guesser, 1, key="also right") == [429]  # else a guess would still tell whether it is right
    assert statuses(guesser, 1, key="right") == [200]  # which was right from there before
    answer = guesser.get("/api/v1/models", headers={"X-API-Key": "another"})
    assert "wrong keys" in answer.json()["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert statuses(call_from("198.51.100.2"), 1, key="also right") == [200]


def test_calls_without_a_key_are_no_guesses(call_from: From) -> None:
    caller = call_from("198.51.100.1", keys=("right",))
    assert statuses(caller, WRONG_KEYS.amount + 1) == [401] * (WRONG_KEYS.amount + 1)
    assert statuses(caller, 1, key="right") == [200]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("/run/socket", "/run/socket"),
    ],
)
def test_the_address_of_a_caller(host: str, address: str) -> None:
    assert address_of({"client": (host, 1)}) == address


def test_where_the_server_tells_no_address() -> None:
    assert address_of({"client": None}) == address_of({}) == "unknown"
