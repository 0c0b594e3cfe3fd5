"""Sixteen clients for two minutes: does anything fail, does anybody get another's answer, does memory grow?

    python -m benchmarks.load [--seconds N] [--clients N] [--alone] [--json FILE]

The server is started as users start it (`streamlit run app.py`; `--alone`: `uvicorn serving.api:app`). Each client sends
requests without pause, in turns: a whole analysis with and without explanation, a picture read by the OCR, a batch of
scores, a predictor's category, a comment in the Perspective API's form. Every answer must carry the caption and the picture
of its request and the probability that the same meme got when it was sent alone.

`errors_other`: answers other than 200, 429 and 503, and broken connections. `mixed_answers`: answers that belong to
another request. `memory_growth`: private memory of the last ten seconds against that after the warm-up, as a fraction.
"""

import base64
import hashlib
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
import psutil
import requests

from benchmarks.common import Server, app, gallery_memes, memory_mb, options, report, uvicorn, wait_for

WARM_UP_S, EDGE_S = 60.0, 10.0
TIMEOUT_S = 60.0  # for one answer
TOLERANCE = 2e-3  # of a probability: batches of another size round otherwise
CAPTIONS = (
    "when the meeting could have been an email",
    "thank you to all who went first and held the door",
    "me on a friday at five",
    "they say it builds character",
    "my cat judges everyone alike",
)
Known = dict[tuple[bytes, str], float]  # a probability by picture (b"" without one) and caption


class Answer(NamedTuple):
    """An answer to a request of `memes` memes; `status` 0 is a broken connection, `correct` False another's answer."""

    path: str
    status: int
    seconds: float
    memes: int
    correct: bool


class Client:
    """One client, whose answers are appended to `answers`. `known` are the probabilities of memes that were sent alone."""

    def __init__(self, address: str, number: int, answers: list[Answer], known: Known) -> None:
        self.address, self.answers, self.known = address, answers, known
        self.random = random.Random(number)
        self.session = requests.Session()
        self.pictures = gallery_memes()

    def run(self, is_over: Callable[[], bool]) -> None:
        """All kinds of requests in turns."""
        turns: list[Callable[[], None]] = [
            self.analyze, lambda: self.analyze(explain=True), lambda: self.analyze(read=True), self.score, self.score,
            self.predict, self.comment,
        ]  # fmt: skip
        self.random.shuffle(turns)
        while True:
            for turn in turns:
                if is_over():
                    return
                turn()

    def post(self, path: str, is_correct: Callable[[Any], bool], *, memes: int = 1, **body: Any) -> None:
        """Send a request, check the answer and count it; sleep if the server says so."""
        start, correct = time.perf_counter(), True
        try:
            answer = self.session.post(self.address + path, timeout=TIMEOUT_S, **body)
            status = answer.status_code
            correct = is_correct(answer.json()) if status == 200 else True
            retry_after = float(answer.headers.get("Retry-After", 0))
        except (requests.RequestException, ValueError, KeyError):
            status, retry_after = 0, 0.0
        self.answers.append(Answer(path, status, time.perf_counter() - start, memes, correct))
        if status in (429, 503):
            time.sleep(min(retry_after, 2.0) * self.random.uniform(0.5, 1))

    def meme(self) -> tuple[bytes, str]:
        """A picture and a caption."""
        return self.random.choice(self.pictures), self.random.choice(CAPTIONS)

    def is_known(self, picture: bytes, caption: str, probability: float) -> bool:
        """Whether the probability is the meme's first one, which came while nobody else sent anything."""
        return abs(self.known.setdefault((picture, caption), probability) - probability) < TOLERANCE

    def analyze(self, explain: bool = False, read: bool = False) -> None:
        """A whole analysis, with a caption or of a picture whose words are read by the OCR."""
        picture, caption = self.meme()

        def is_correct(answer: Any) -> bool:
            own = answer["image"]["sha256"] == hashlib.sha256(picture).hexdigest()
            if read or not own:
                return own
            known = self.is_known(picture, caption, answer["verdict"]["probability"])
            return answer["caption"]["text"] == caption and known

        fields = {"explain": json.dumps(explain)} | ({} if read else {"caption": caption})
        self.post("/api/v1/analyze", is_correct, data=fields, files={"picture": picture})

    def score(self) -> None:
        """A batch of eight memes."""
        memes = [self.meme() for _ in range(8)]

        def is_correct(answer: Any) -> bool:
            return all(
                result["caption"] == caption and self.is_known(picture, caption, result["verdict"]["probability"])
                for (picture, caption), result in zip(memes, answer["results"], strict=True)
            )

        self.post("/api/v1/score", is_correct, memes=len(memes), json=score_body(memes))

    def predict(self) -> None:
        """A predictor's category."""
        caption = f"{self.random.choice(CAPTIONS)} {self.random.random()}"
        path = "/api/v1/systems/text-emotions/predict"
        self.post(path, lambda answer: answer["caption"] == caption, json={"caption": caption})

    def comment(self) -> None:
        """A comment in the Perspective API's form."""
        caption, token = self.random.choice(CAPTIONS), str(self.random.random())

        def is_correct(answer: Any) -> bool:
            probability = answer["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
            return answer["clientToken"] == token and self.is_known(b"", caption, probability)

        body = {"comment": {"text": caption}, "requestedAttributes": {"TOXICITY": {}}, "clientToken": token}
        self.post("/v1alpha1/comments:analyze", is_correct, json=body)

    def learn(self) -> None:
        """Send each meme once, alone, and remember its probability."""
        for picture in (*self.pictures, b""):
            for caption in CAPTIONS:
                body = score_body([(picture, caption)])
                answer = self.session.post(f"{self.address}/api/v1/score", json=body, timeout=TIMEOUT_S).json()
                self.is_known(picture, caption, answer["results"][0]["verdict"]["probability"])


def score_body(memes: list[tuple[bytes, str]]) -> dict[str, Any]:
    """The body of /api/v1/score; a meme without a picture has b"" in its place."""
    pictures = [{"picture": base64.b64encode(picture).decode()} if picture else {} for picture, _ in memes]
    return {"memes": [{**entry, "caption": caption} for entry, (_, caption) in zip(pictures, memes, strict=True)]}


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--alone", action="store_true", help="the API without the pages")
    args = parser.parse_args()
    report(measure(args.seconds, args.clients, uvicorn() if args.alone else app()), args.json)


def measure(seconds: float, clients: int, server: Server) -> dict[str, float]:
    """All figures."""
    known: Known = {}
    with server as (address, process):
        wait_for(f"{address}/ready")  # the models are loaded
        Client(address, 0, [], known).learn()
        run_clients(address, clients, WARM_UP_S, known, process)  # until every thread has its memory
        answers, private_mb, took_s = run_clients(address, clients, seconds, known, process)
    edge = max(1, int(EDGE_S))
    before, after = statistics.mean(private_mb[:edge]), statistics.mean(private_mb[-edge:])
    good = answers[answers.status == 200]
    refused, failed = answers.status.isin((429, 503)), ~answers.status.isin((200, 429, 503))
    for example in answers[failed | ~answers.correct].head().itertuples():
        print(f"{example.path}: {example.status}", file=sys.stderr)
    return {
        "errors_other": int(failed.sum()),
        "mixed_answers": int((~good.correct).sum()),
        "memory_growth": round(after / before - 1, 4),
        "private_mb_before": round(before, 1),
        "private_mb_after": round(after, 1),
        "answered": len(good),
        "refused": int(refused.sum()),
        "requests_per_s": round(len(good) / took_s, 2),
        "memes_per_s": round(float(good.memes.sum()) / took_s, 2),
        "median_s": round(float(good.seconds.median()), 3),
        "p95_s": round(float(good.seconds.quantile(0.95, interpolation="lower")), 3),
        "clients": clients,
        "seconds": round(took_s, 1),
    }


def run_clients(
    address: str, clients: int, seconds: float, known: Known, process: psutil.Process
) -> tuple[pd.DataFrame, list[float], float]:
    """All clients at once; their answers, private megabytes second by second, and the seconds that it took."""
    answers, private_mb, start = list[Answer](), list[float](), time.monotonic()

    def is_over() -> bool:
        return time.monotonic() - start >= seconds

    with ThreadPoolExecutor(clients) as pool:
        runs = [pool.submit(Client(address, number, answers, known).run, is_over) for number in range(clients)]
        while not is_over():
            private_mb.append(memory_mb(process)[0])
            time.sleep(1)
        for run in runs:
            run.result()
    return pd.DataFrame(answers, columns=Answer._fields), private_mb, time.monotonic() - start


if __name__ == "__main__":
    main()
