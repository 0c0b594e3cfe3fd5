"""Every request that fits the documented schema, or nearly does, gets an answer below 500 in the documented form."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import requests

from serving import api
from serving.settings import Settings
from tests.fakes import FakeAnalyzer
from tests.serving.conftest import wait_until


def test_schemathesis_finds_no_failure_of_the_server(listening: Callable[..., str], tmp_path: Path) -> None:
    address = listening(api.create(Settings(), FakeAnalyzer))
    wait_until(lambda: requests.get(f"{address}/ready", timeout=30).ok)
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    command = ["schemathesis", "run", f"{address}/api/openapi.json", "--checks", checks, "--max-examples", "25"]
    script = Path(sys.executable).with_name(command[0])
    result = subprocess.run(
        [str(script), *command[1:], "--generation-deterministic", "--request-timeout", "60"],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
    assert "Schema Loading Error" not in result.stdout
    assert requests.get(f"{address}/ready", timeout=30).ok
