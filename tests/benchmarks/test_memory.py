"""What `benchmarks/memory.py` counts, and what it says where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from benchmarks import common, memory


def test_the_last_stage_is_the_answer() -> None:
    figures = memory.flat({"python": (4.0, 11.0), "one": (300.04, 420.0), "ten": (310.0, 433.333)})
    assert figures["private_mb"] == figures["ten_private_mb"] == 310.0
    assert figures["resident_mb"] == 433.3
    assert figures["one_private_mb"] == 300.0
    assert all(isinstance(value, float) for value in figures.values())


def test_memory_of_started_processes_counts() -> None:
    # More than is asked for below: once both run, the pages that they share count as private to neither.
    program = "import sys; data = bytearray(90 * 2**20); print('ready', flush=True); input()"
    alone = common.memory_mb(psutil.Process(os.getpid()))[0]
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        together, resident = common.memory_mb(psutil.Process(os.getpid()))
        child.communicate(b"\n")
    assert together - alone > 60
    assert resident >= together


def test_a_missing_chromium_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(memory.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match="Chromium is needed"):
        memory.chromium()
