"""What visitors leave is removed without anybody's visit, and nothing is there when the server has ended."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest

from models.io import uploads
from models.io.temporary import PREFIX, TemporaryFolder
from models.io.uploads import UPLOADS
from serving import housekeeping
from serving.batch.judge import Options
from tests.conftest import drawn
from tests.serving.conftest import wait_until
from tests.serving.test_jobs import BlockedAnalyzer, lent


def test_a_timer_removes_and_the_end_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(UPLOADS, "folder", TemporaryFolder())
    monkeypatch.setattr(housekeeping, "PERIOD_S", 0.05)
    of_a_killed_server = tmp_path / f"{PREFIX}killed"
    of_a_killed_server.mkdir()
    (of_a_killed_server / "meme.png").write_bytes(b"x")
    blocked = BlockedAnalyzer()
    with housekeeping.running(lambda session: session == "open"):
        assert not of_a_killed_server.exists()
        for session in ("open", "left"):
            UPLOADS.write(UPLOADS.begin("v", session, "file"), io.BytesIO(b"data"))
        monkeypatch.setattr(uploads, "LEFT_TTL_S", 0.1)
        wait_until(lambda: len(list(UPLOADS.folder.path.iterdir())) == 1)
        job = housekeeping.JOBS.start([("a.png", drawn())], Options(), lent(blocked))
        assert blocked.called.wait(60)
        UPLOADS.remove_named("open", "file")
    assert not list(tmp_path.iterdir())
    blocked.gate.set()
    wait_until(lambda: job.over)
    assert job.state == "stopped" and not list(tmp_path.iterdir())
