"""The app and the API as processes, started as users start them, and the memory that they hold."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT_S = 180  # that a busy machine may take for one step
Output = int | IO[bytes]
Server = AbstractContextManager[tuple[str, psutil.Process]]


def app(output: Output = subprocess.DEVNULL) -> Server:
    """`streamlit run app.py`: its address and process. What it prints goes to `output`."""
    return running(["streamlit", "run", "app.py", "--server.headless=true"], "--server.port", "/_stcore/health", output)


def uvicorn() -> Server:
    """`uvicorn serving.api:app`: its address and process."""
    return running(["uvicorn", "serving.api:app", "--no-access-log"], "--port", "/health")


@contextmanager
def running(
    command: Sequence[str], port_option: str, health: str, output: Output = subprocess.DEVNULL
) -> Iterator[tuple[str, psutil.Process]]:
    """A Python module that serves on a free port; it is stopped in the end, whatever happens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", *command, f"{port_option}={port}"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}{health}", process)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; ends with a sentence if it does not."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"The server ended with status {process.returncode}: start it by hand to see why.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit(f"The server did not answer within {TIMEOUT_S} seconds.")


def memory_mb(process: psutil.Process) -> tuple[float, float]:
    """Private and resident megabytes of a process and of those that it started."""
    memory = [member.memory_full_info() for member in (process, *process.children(recursive=True))]
    return sum(info.uss for info in memory) / 1024**2, sum(info.rss for info in memory) / 1024**2
