"""Whatever fits the documented schema, or nearly does, gets an answer below 500 in the documented form."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from serving import api
from serving.settings import Settings
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until


class Scoring(FakeAnalyzer):
    """The fake with what the other routes ask of an analyzer."""

    def judge(self, memes: Any) -> list[Any]:
        found = [self.analyze(meme) for meme in memes]
        return [(one.verdict, one.harm) for one in found]

    def score(self, memes: Any) -> list[Any]:
        return [verdict for verdict, _ in self.judge(memes)]

    def harm(self, memes: Any) -> list[Any]:
        return [harm for _, harm in self.judge(memes)]

    def text_emotions(self, texts: Any) -> list[Any]:
        return [self._text(text) for text in texts]

    def faces(self, meme: Any) -> Any:
        return self._faces(meme.image)

    def threshold(self, head: str) -> float:
        return 0.5


def test_schemathesis_finds_no_failure_of_the_server(listening: Callable[..., str], tmp_path: Path) -> None:
    address = listening(api.create(Settings(), Scoring))
    wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok)
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = ["schemathesis", "run", f"{address}/api/openapi.json", "--checks", checks, "--max-examples", "25"]
    script = Path(sys.executable).with_name(command[0])
    found = subprocess.run(
        [str(script), *command[1:], "--generation-deterministic", "--request-timeout", "60"],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    assert "Schema Loading Error" not in found.stdout
    assert requests.get(f"{address}/ready", timeout=30).ok
