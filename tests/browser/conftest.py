"""A Chromium and two servers: the app as users start it, and the same page over the fake analyzer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import wordings

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180_000  # milliseconds; a busy machine is slow, not wrong
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("Chromium is not installed: set CHROMIUM to its path")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    """The address of a server that answers; it is stopped in the end, whatever happens."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}")
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def real(browser: Any) -> Iterator[str]:
    """The app as users start it, with the weights in the repository."""
    port = free_port()
    options = [f"--server.port={port}", "--server.headless=true"]
    with running([sys.executable, "-m", "streamlit", "run", "app.py", *options], port) as address:
        yield address


@pytest.fixture(scope="session")
def fake(browser: Any) -> Iterator[str]:
    """The same page over the fake analyzer."""
    port = free_port()
    with running([sys.executable, str(Path(__file__).with_name("serve_fake.py")), str(port)], port) as address:
        yield address


@pytest.fixture
def visitor(browser: Any) -> Iterator[Any]:
    """Opens the page at an address in a fresh context, as another visitor would."""
    contexts = []

    def open_page(address: str, width: int = 1280, height: int = 800) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.get_by_role("heading", name=wordings.WHAT_DOES_THIS_MEME_SAY).wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
