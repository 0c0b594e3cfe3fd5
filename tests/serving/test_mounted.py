"""The app as users start it serves the API beside the pages: the same analyzer, the same numbers as in the terminal."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from benchmarks import common
from components.shared import engine
from models.analysis import Analysis
from serving.client import Client
from tests.serving.conftest import wait_until

ROOT = Path(__file__).resolve().parents[2]
MEME = ROOT / "assets" / "gallery" / "first_try.webp"


def test_pages_and_api_share_one_analyzer() -> None:
    spec = importlib.util.spec_from_file_location("app_as_the_server_imports_it", ROOT / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.served.state.service.analyzer is engine.analyzer
    assert module.app.script_path == ROOT / "app.py"


def test_app_api_and_terminal_give_the_same_numbers(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models", "analyze", str(MEME), "--json", "--no-explain"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    terminal = Analysis.from_dict(json.loads(printed))
    log = tmp_path / "said"
    with log.open("wb") as said, common.app(said) as (address, _):
        wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok, 180)
        with Client(address) as client:
            served = client.analyze(MEME, explain=False)
        assert (served.caption, served.image) == (terminal.caption, terminal.image)
        assert served.profile.weights == terminal.profile.weights
        assert served.verdict.logit == pytest.approx(terminal.verdict.logit, abs=1e-4)
        assert served.harm == terminal.harm or served.harm.probability == pytest.approx(
            terminal.harm.probability, abs=1e-4
        )
        page = requests.get(f"{address}/batch", timeout=30)
        assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
        assert requests.get(f"{address}/_stcore/health", timeout=30).text == "ok"
        wrong = requests.get(f"{address}/api/v1/nothing", timeout=30)
        assert (wrong.status_code, wrong.json()["status"]) == (404, 404)
    output = log.read_text(encoding="utf-8")
    assert "You can now view your Streamlit app" in output
    assert "ScriptRunContext" not in output  # of which the API's threads have none, and need none
