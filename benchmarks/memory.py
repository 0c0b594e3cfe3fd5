"""How much memory the app's process holds, from its start until after ten memes.

    python -m benchmarks.memory [--json FILE]

The app is started as users start it, and a headless Chromium uploads ten memes of the gallery, each read by the OCR and
explained. Private memory is what ends with the process (USS); resident memory also counts pages shared with others.
`private_mb` and `resident_mb` are those after ten memes; with a stage's name before them, those at that stage.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks.common import GALLERY, TIMEOUT_S, app, memory_mb, options, report

MEMES = 10
SETTLE_S = 2.0  # seconds after which the page's last messages have gone out
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
Stages = dict[str, tuple[float, float]]  # private and resident megabytes by stage, in their order


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    report(flat(measure()), args.json)


def measure() -> Stages:
    """Private and resident megabytes at each stage."""
    chromium()
    stages = {"python": bare_python()}
    with app() as (address, process):
        stages["started"] = memory_mb(process)
        for name in visit(address):
            time.sleep(SETTLE_S)
            stages[name] = memory_mb(process)
            print(f"{name}: {stages[name][0]:.0f} MB private", file=sys.stderr)
    return stages


def flat(stages: Stages) -> dict[str, float]:
    """`private_mb` and `resident_mb` of the last stage, then those of each."""
    private_mb, resident_mb = list(stages.values())[-1]
    metrics = {"private_mb": round(private_mb, 1), "resident_mb": round(resident_mb, 1), "memes": float(MEMES)}
    for name, (private_mb, resident_mb) in stages.items():
        metrics |= {f"{name}_private_mb": round(private_mb, 1), f"{name}_resident_mb": round(resident_mb, 1)}
    return metrics


def bare_python() -> tuple[float, float]:
    """A Python that has imported nothing."""
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory = memory_mb(psutil.Process(process.pid))
        process.communicate(b"\n")
    return memory


def visit(address: str) -> Iterator[str]:
    """One visitor: the page with the models loaded, then one meme after another. Yields the name of each stage."""
    memes = sorted(GALLERY.glob("*.webp"))[:MEMES]
    with browser_page() as page:
        page.goto(address)
        page.locator("input[type=file]").first.wait_for(state="attached")
        page.locator("[data-test-script-state=notRunning]").wait_for()  # the models are loaded by then
        yield "loaded"
        for number, meme in enumerate(memes, 1):
            show(page, meme)
            if number == 1:
                yield "one"
            if number < len(memes):
                page.get_by_role("button", name="Another meme").click()
                page.get_by_role("heading", name="What does this meme say?").wait_for()
        yield "ten"


@contextmanager
def browser_page(**settings: Any) -> Iterator[Any]:
    """A page of a headless Chromium, patient with a busy machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, **settings)
        page.set_default_timeout(TIMEOUT_S * 1000)
        yield page
        browser.close()


def chromium() -> str:
    """The browser's path; ends with a sentence if there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        raise SystemExit(
            "Chromium is needed to use the app: run apt-get install chromium, or set CHROMIUM to its path."
        )
    return path


def show(page: Any, meme: Path) -> None:
    """Upload a meme and wait for its analysis; ends with a sentence if the app shows a failure instead."""
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name="Evidence").or_(page.get_by_test_id("stAlert")).first.wait_for()
    if page.get_by_test_id("stAlertContentError").count():
        raise SystemExit(f"The app could not read {meme.name}: {page.get_by_test_id('stAlert').first.inner_text()}")


if __name__ == "__main__":
    main()
