"""The app and the API as processes of their own, as users start them, and the memory that they hold."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 180  # seconds that a busy machine may take for one step


@contextmanager
def app(said: int | IO[bytes] = subprocess.DEVNULL) -> Iterator[tuple[str, psutil.Process]]:
    """`streamlit run app.py`: its address and process; it is stopped in the end, whatever happens. What it says goes to `said`."""
    port = free_port()
    command = ["streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    with served(command, port, "/_stcore/health", said) as found:
        yield found


@contextmanager
def uvicorn_alone() -> Iterator[tuple[str, psutil.Process]]:
    """`uvicorn serving.api:app`."""
    port = free_port()
    with served(["uvicorn", "serving.api:app", f"--port={port}", "--no-access-log"], port, "/health") as found:
        yield found


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def served(
    command: Sequence[str], port: int, health: str, said: int | IO[bytes] = subprocess.DEVNULL
) -> Iterator[tuple[str, psutil.Process]]:
    """A Python module that listens on `port`."""
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, stdout=said, stderr=said)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}{health}", process)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)


def held(process: psutil.Process) -> tuple[float, float]:
    """Private and resident megabytes of a process and of those that it started."""
    family = [process, *process.children(recursive=True)]
    memory = [one.memory_full_info() for one in family]
    return sum(one.uss for one in memory) / 1024**2, sum(one.rss for one in memory) / 1024**2


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"The server ended with status {process.returncode}: start it by hand to see why.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit(f"The server did not answer within {PATIENCE} seconds.")
