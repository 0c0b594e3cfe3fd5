"""Sixteen clients for two minutes: does anything fail, does anybody get another's answer, does memory grow?

    python -m benchmarks.load [--seconds N] [--clients N] [--alone] [--json FILE]

The server is started as users start it (`streamlit run app.py`; `--alone`: `uvicorn serving.api:app`). Each client asks
without pause, in turns: a whole analysis with and without explanation, a picture read by the OCR, a batch of scores, a
system's category, the closing service's form. Every caption is its own, and every answer must carry the caption and the
picture of its question and the probability that the same meme got when it was asked alone.

`errors_other`: answers other than 200, 429 and 503, and broken connections. `mixed_answers`: answers that belong to
another question. `memory_growth`: private memory of the last ten seconds against that after the warm-up, as a share.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import requests

from benchmarks.serve import app, held, uvicorn_alone

GALLERY = Path(__file__).resolve().parents[1] / "assets" / "gallery"
WARM_S, EDGE_S = 60.0, 10.0
PATIENCE = 60.0  # seconds for one answer
TOLERANCE = 2e-3  # of a probability: batches of another size round otherwise
WORDS = (
    "when the meeting could have been an email",
    "thank you to all who went first and held the door",
    "me on a friday at five",
    "they say it builds character",
    "my cat judges everyone alike",
)


@dataclass
class Tally:
    """What the clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    mixed: int = 0
    broken: int = 0
    memes: int = 0
    seconds: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: int, took: float, memes: int, right: bool, what: str) -> None:
        with self.lock:
            self.statuses[status] += 1
            if status == 200:
                self.seconds.append(took)
                self.memes += memes
                self.mixed += not right
            if (status not in (200, 429, 503) or not right) and len(self.examples) < 5:
                self.examples.append(f"{what}: {status}")


class Client:
    """Asks in turns until it is told to stop. `known` holds the probability of each caption with each picture."""

    def __init__(self, address: str, number: int, tally: Tally, known: dict[tuple[str, str], float]) -> None:
        self.address, self.tally, self.known = address, tally, known
        self.random = random.Random(number)
        self.session = requests.Session()
        self.pictures = [path.read_bytes() for path in sorted(GALLERY.glob("*.webp"))]
        self.turns: list[Callable[[], None]] = [
            self.analyze,
            self.score,
            self.explained,
            self.predict,
            self.score,
            self.comment,
            self.read,
        ]
        self.random.shuffle(self.turns)

    def run(self, until: Callable[[], bool]) -> None:
        while not until():
            for turn in self.turns:
                if until():
                    return
                turn()

    def send(self, what: str, check: Callable[[Any], bool], memes: int = 1, **body: Any) -> None:
        start, right = time.perf_counter(), True
        try:
            answer = self.session.post(self.address + what, timeout=PATIENCE, **body)
            status = answer.status_code
            right = check(answer.json()) if status == 200 else True
            again = float(answer.headers.get("Retry-After", 0))
        except (requests.RequestException, ValueError, KeyError):
            status, again = 0, 0.0
        self.tally.add(status, time.perf_counter() - start, memes, right, what)
        if status in (429, 503):
            time.sleep(min(again, 2.0) * self.random.uniform(0.5, 1))

    def meme(self) -> tuple[bytes, str]:
        return self.random.choice(self.pictures), self.random.choice(WORDS)

    def expected(self, data: bytes, words: str, value: float) -> bool:
        """Notes the first answer for a meme, which comes while nobody else asks; holds the others against it."""
        key = (hashlib.sha256(data).hexdigest(), words)
        return abs(self.known.setdefault(key, value) - value) < TOLERANCE

    def analyze(self, explain: bool = False) -> None:
        data, words = self.meme()

        def check(told: Any) -> bool:
            mine = told["image"]["sha256"] == hashlib.sha256(data).hexdigest() and told["caption"]["text"] == words
            return mine and self.expected(data, words, told["verdict"]["probability"])

        fields = {"caption": words, "explain": json.dumps(explain)}
        self.send("/api/v1/analyze", check, data=fields, files={"picture": data})

    def explained(self) -> None:
        self.analyze(explain=True)

    def read(self) -> None:
        data = self.random.choice(self.pictures)
        mine = hashlib.sha256(data).hexdigest()
        self.send(
            "/api/v1/analyze",
            lambda told: told["image"]["sha256"] == mine,
            data={"explain": "false"},
            files={"picture": data},
        )

    def score(self) -> None:
        memes = [self.meme() for _ in range(8)]
        body = [{"picture": base64.b64encode(data).decode(), "caption": words} for data, words in memes]

        def check(told: Any) -> bool:
            pairs = zip(memes, told["results"], strict=True)
            return all(
                one["caption"] == words and self.expected(data, words, one["verdict"]["probability"])
                for (data, words), one in pairs
            )

        self.send("/api/v1/score", check, memes=len(memes), json={"memes": body})

    def predict(self) -> None:
        own = f"{self.random.choice(WORDS)} {self.random.random()}"
        self.send("/api/v1/systems/text-emotions/predict", lambda told: told["caption"] == own, json={"caption": own})

    def comment(self) -> None:
        words, token = self.random.choice(WORDS), str(self.random.random())

        def check(told: Any) -> bool:
            value = told["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
            return told["clientToken"] == token and self.expected(b"", words, value)

        body = {"comment": {"text": words}, "requestedAttributes": {"TOXICITY": {}}, "clientToken": token}
        self.send("/v1alpha1/comments:analyze", check, json=body)

    def learn(self) -> None:
        """Each meme once, alone: what the answers under load are held against."""
        for data in self.pictures:
            for words in WORDS:
                body = {"picture": base64.b64encode(data).decode(), "caption": words}
                told = self.session.post(
                    f"{self.address}/api/v1/score", json={"memes": [body]}, timeout=PATIENCE
                ).json()
                self.expected(data, words, told["results"][0]["verdict"]["probability"])
        for words in WORDS:
            told = self.session.post(f"{self.address}/api/v1/score", json={"memes": [{"caption": words}]}).json()
            self.expected(b"", words, told["results"][0]["verdict"]["probability"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--alone", action="store_true", help="the API without the pages")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    args = parser.parse_args()
    figures = measure(args.seconds, args.clients, uvicorn_alone() if args.alone else app())
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(
    seconds: float, clients: int, server: AbstractContextManager[tuple[str, psutil.Process]]
) -> dict[str, float]:
    """All figures, flat."""
    known: dict[tuple[str, str], float] = {}
    with server as (address, process):
        ready(address)
        Client(address, 0, Tally(), known).learn()
        load(address, clients, WARM_S, known, process)  # until every thread has its memory
        tally, memory, took = load(address, clients, seconds, known, process)
    edge = max(1, int(EDGE_S))
    before, after = statistics.mean(memory[:edge]), statistics.mean(memory[-edge:])
    refused = tally.statuses[429] + tally.statuses[503]
    for example in tally.examples:
        print(example, file=sys.stderr)
    ordered = sorted(tally.seconds)
    return {
        "errors_other": sum(count for status, count in tally.statuses.items() if status not in (200, 429, 503)),
        "mixed_answers": tally.mixed,
        "memory_growth": round(after / before - 1, 4),
        "private_mb_before": round(before, 1),
        "private_mb_after": round(after, 1),
        "answered": tally.statuses[200],
        "refused": refused,
        "requests_per_s": round(tally.statuses[200] / took, 2),
        "memes_per_s": round(tally.memes / took, 2),
        "median_s": round(statistics.median(ordered), 3),
        "p95_s": round(ordered[int(0.95 * (len(ordered) - 1))], 3),
        "clients": clients,
        "seconds": round(took, 1),
    }


def load(
    address: str, clients: int, seconds: float, known: dict[tuple[str, str], float], process: psutil.Process
) -> tuple[Tally, list[float], float]:
    """All clients at once; the tally, private megabytes second by second, and the seconds that it took."""
    tally, memory, start = Tally(), list[float](), time.monotonic()

    def over() -> bool:
        return time.monotonic() - start >= seconds

    with ThreadPoolExecutor(clients) as pool:
        working = [pool.submit(Client(address, number, tally, known).run, over) for number in range(clients)]
        while not over():
            memory.append(held(process)[0])
            time.sleep(1)
        for one in working:
            one.result()
    return tally, memory, time.monotonic() - start


def ready(address: str) -> None:
    """Until the models are loaded."""
    until = time.monotonic() + 180
    while requests.get(f"{address}/ready", timeout=PATIENCE).status_code != 200:
        if time.monotonic() > until:
            raise SystemExit("The server did not become ready within three minutes.")
        time.sleep(0.25)


if __name__ == "__main__":
    main()
