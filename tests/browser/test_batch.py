"""A person with many memes: the first visit of a fresh server by a link to the page, files, table, another device."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks import common
from tests import wordings

pytestmark = pytest.mark.browser
GALLERY = sorted((Path(__file__).resolve().parents[2] / "assets" / "gallery").glob("*.webp"))[:3]
TABLE = b"image,caption\n" + b"".join(f"{path.name},words of {path.stem}\n".encode() for path in GALLERY)


@pytest.fixture
def fresh(browser: Any) -> Iterator[str]:
    """A server that nobody has visited yet."""
    with common.app() as (address, _):
        yield address


def test_many_memes_at_once(fresh: str, browser: Any, tmp_path: Path) -> None:
    page = browser.new_context(accept_downloads=True).new_page()
    page.set_default_timeout(180_000)
    page.goto(f"{fresh}/batch")
    page.get_by_role("button", name=wordings.JUDGE_THEM).wait_for()
    page.locator("[data-test-script-state=notRunning]").wait_for()
    assert page.get_by_text("Page not found").count() == 0
    files = [{"name": path.name, "mimeType": "image/webp", "buffer": path.read_bytes()} for path in GALLERY]
    files += [
        {"name": "broken.png", "mimeType": "image/png", "buffer": b"no"},
        {"name": "captions.csv", "mimeType": "text/csv", "buffer": TABLE},
    ]
    page.locator("input[type=file]").first.set_input_files(files)
    page.get_by_text("captions.csv").wait_for()
    page.get_by_role("button", name=wordings.JUDGE_THEM).click()
    page.get_by_role("button", name=wordings.DELETE_AND_BEGIN_ANOTHER).wait_for()
    page.get_by_text(wordings.N_4_OF_4_MEMES).wait_for()
    assert re.search(r"/batch\?job=[\w-]{20,}$", page.url)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV", exact=True).click()
    waiting.value.save_as(tmp_path / "got.csv")
    with (tmp_path / "got.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert rows["broken.png"]["status"] == "error"
    for path in GALLERY:
        form = {"caption": (None, f"words of {path.stem}"), "explain": (None, "false"), "picture": path.read_bytes()}
        answer = requests.post(f"{fresh}/api/v1/analyze", files=form, timeout=180).json()
        assert float(rows[path.name]["logit"]) == pytest.approx(answer["verdict"]["logit"], abs=1e-3)

    phone = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    phone.set_default_timeout(180_000)
    phone.goto(page.url)
    phone.get_by_text(wordings.N_4_OF_4_MEMES).wait_for()
    main = phone.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 1
    page.get_by_role("button", name=wordings.DELETE_AND_BEGIN_ANOTHER).click()
    page.get_by_role("heading", name=wordings.MANY_MEMES_AT_ONCE).wait_for()
    phone.reload()
    phone.get_by_text(wordings.THIS_BATCH_IS_NOT_THERE_ANY_MORE).wait_for()
