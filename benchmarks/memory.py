"""How much memory the app's process holds, from its start until after ten memes.

    python -m benchmarks.memory [--json FILE]

The app is started as users start it, and a headless Chromium uploads ten memes of the gallery, each read by the OCR and
explained. Private memory is what ends with the process (USS); resident memory also counts pages shared with others.
`private_mb` and `resident_mb` are those after ten memes; the same with a stage's name before it tell the way there.
"""

from __future__ import annotations

import argparse
import json
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

import psutil

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "assets" / "gallery"
MEMES = 10
PATIENCE = 180  # seconds that a busy machine may take for one step
SETTLE = 2.0  # seconds after which the page's last messages have gone out
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    args = parser.parse_args()
    figures = flat(measure(chromium()))
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def chromium() -> str:
    """The browser's path; ends with a sentence where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        raise SystemExit(
            "Chromium is needed to use the app: run apt-get install chromium, or set CHROMIUM to its path."
        )
    return path


def measure(browser: str) -> dict[str, tuple[float, float]]:
    """Private and resident megabytes at each stage, in their order."""
    stages = {"python": bare_python()}
    with app() as (address, process):
        stages["started"] = held(process)
        for name, reached in visit(address, browser):
            time.sleep(SETTLE)
            stages[name] = held(process)
            print(f"{reached}: {stages[name][0]:.0f} MB private", file=sys.stderr)
    return stages


def flat(stages: dict[str, tuple[float, float]]) -> dict[str, float]:
    """`private_mb` and `resident_mb` of the last stage, then those of each."""
    last = list(stages.values())[-1]
    figures = {"private_mb": round(last[0], 1), "resident_mb": round(last[1], 1), "memes": float(MEMES)}
    for name, (private, resident) in stages.items():
        figures |= {f"{name}_private_mb": round(private, 1), f"{name}_resident_mb": round(resident, 1)}
    return figures


def held(process: psutil.Process) -> tuple[float, float]:
    """Private and resident megabytes of a process and of those that it started."""
    family = [process, *process.children(recursive=True)]
    memory = [one.memory_full_info() for one in family]
    return sum(one.uss for one in memory) / 1024**2, sum(one.rss for one in memory) / 1024**2


def bare_python() -> tuple[float, float]:
    """A Python that has imported nothing."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = held(psutil.Process(process.pid))
        process.communicate(b"\n")
    return found


@contextmanager
def app() -> Iterator[tuple[str, psutil.Process]]:
    """The app's address and process; it is stopped in the end, whatever happens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/_stcore/health", process)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"The app ended with status {process.returncode}: start it by hand to see why.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
    raise SystemExit(f"The app did not answer within {PATIENCE} seconds.")


def visit(address: str, browser: str) -> Iterator[tuple[str, str]]:
    """One visitor: the page with the models loaded, then a meme after another. Yields at the stages to be measured."""
    from playwright.sync_api import sync_playwright

    memes = sorted(GALLERY.glob("*.webp"))[:MEMES]
    with sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = window.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(address)
        page.locator("input[type=file]").first.wait_for(state="attached")
        page.locator("[data-test-script-state=notRunning]").wait_for()  # the models are loaded by then
        yield "loaded", "models loaded"
        for number, meme in enumerate(memes, 1):
            show(page, meme)
            if number == 1:
                yield "one", "one meme"
            if number < len(memes):
                page.get_by_role("button", name="Another meme").click()
                page.get_by_role("heading", name="What does this meme say?").wait_for()
        yield "ten", f"{len(memes)} memes"
        window.close()


def show(page: Any, meme: Path) -> None:
    """Upload a meme and wait for its analysis; ends with a sentence if the app shows a failure instead."""
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name="Evidence").or_(page.get_by_test_id("stAlert")).first.wait_for()
    if page.get_by_test_id("stAlertContentError").count():
        raise SystemExit(f"The app could not read {meme.name}: {page.get_by_test_id('stAlert').first.inner_text()}")


if __name__ == "__main__":
    main()
