"""The folder of uploads: its own process removes it, and after a kill the next one does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.io import temporary
from models.io.temporary import PREFIX, TemporaryFolder

ROOT = Path(__file__).resolve().parents[3]
CHILD = """
from models.io.temporary import TemporaryFolder
folder = TemporaryFolder().path
(folder / "meme.png").write_bytes(b"x")
print(folder, flush=True)
input()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def other(place: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has a folder."""
    environment = {**os.environ, "TMPDIR": str(place), "PYTHONPATH": str(ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", CHILD], env=environment, text=True, **pipes)  # type: ignore[call-overload]
    yield process
    process.kill()
    process.wait()


def test_a_process_removes_its_folder_when_it_exits(place: Path, other: subprocess.Popen[str]) -> None:
    output, _ = other.communicate("\n")
    assert output.startswith(str(place)) and not list(place.iterdir())


def test_only_folders_of_ended_processes_are_swept(place: Path, other: subprocess.Popen[str]) -> None:
    assert other.stdout is not None
    folder = Path(other.stdout.readline().strip())
    own = TemporaryFolder()
    assert own.path.stat().st_mode & 0o077 == 0
    (place / f"{PREFIX}link").symlink_to(ROOT / "tests")
    temporary.sweep()
    assert (folder / "meme.png").is_file() and own.path.is_dir()
    other.send_signal(signal.SIGKILL)
    other.wait()
    temporary.sweep()
    assert not folder.exists()
    assert (ROOT / "tests" / "conftest.py").is_file()
    own.remove()
    assert [path.name for path in place.iterdir()] == [f"{PREFIX}link"]
    assert own.path.is_dir()  # a new one
