"""A person with many memes: the first visit of a fresh server by a link to the page, files, table, another device."""

from __future__ import annotations

import csv
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks import common
from tests import wordings
from tests.serving.conftest import wait_until

pytestmark = pytest.mark.browser
GALLERY = sorted((Path(__file__).resolve().parents[2] / "assets" / "gallery").glob("*.webp"))[:3]
CLEAR_CACHE = BackMsg(clear_cache=True).SerializeToString()
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


LARGE_MB = 11  # more than Streamlit takes of one picture


def large_zip(path: Path) -> Path:
    """Four pictures, and bytes that cannot be compressed."""
    with zipfile.ZipFile(path, "w") as archive:
        for picture in GALLERY:
            archive.write(picture, picture.name)
        archive.writestr("noise.bin", os.urandom(LARGE_MB * 1024**2))
    return path


def test_a_large_zip_arrives_and_its_server_leaves_nothing(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the pages Batch and Search; then the server is killed, and another one starts."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    file = large_zip(tmp_path / "large.zip")
    with common.app() as (address, process):
        page = browser.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{address}/search")
        page.locator("input[type=file]:not([webkitdirectory])").first.set_input_files(file)
        page.get_by_text("large.zip").wait_for()
        page.get_by_role("button", name=wordings.INDEX_THEM).click()
        page.get_by_role("heading", name=wordings.SEARCH_3_PICTURES).wait_for()
        page.goto(f"{address}/batch")
        page.locator("input[type=file]").first.set_input_files(file)
        page.get_by_text("large.zip").wait_for()
        page.get_by_role("button", name=wordings.JUDGE_THEM).click()
        page.get_by_role("button", name=wordings.DELETE_AND_BEGIN_ANOTHER).wait_for()
        page.get_by_text(wordings.N_3_OF_3).wait_for()
        page.get_by_role("button", name=wordings.DELETE_AND_BEGIN_ANOTHER).click()
        page.get_by_role("button", name=wordings.JUDGE_THEM).wait_for()
        page.locator("input[type=file]").first.set_input_files(file)
        page.get_by_text("large.zip").wait_for()
        wait_until(lambda: any(path.stat().st_size > LARGE_MB * 1024**2 for path in place.rglob("*")))
        process.kill()
        process.wait()
        assert list(place.glob("subtext*/*"))
    with common.app() as (address, process):
        requests.get(f"{address}/ready", timeout=60)
        assert list(place.glob("subtext*/*")) == []
        page = browser.new_page()
        page.set_default_timeout(180_000)
        page.goto(f"{address}/batch")
        page.locator("input[type=file]").first.set_input_files(file)
        page.get_by_text("large.zip").wait_for()
        wait_until(lambda: bool(list(place.glob("subtext*/*"))))  # its name is on the page before its bytes are here
        process.terminate()
        process.wait()
        assert list(place.glob("subtext*")) == []


SEND = """([address, message]) => new Promise((done, fail) => {
    const socket = new WebSocket(address, ["streamlit"])
    socket.onerror = () => fail(new Error("no connection"))
    socket.onopen = () => { socket.send(new Uint8Array(message)); setTimeout(() => { socket.close(); done() }, 1000) }
})"""


def test_another_visitor_takes_nothing_from_a_running_batch(fresh: str, browser: Any) -> None:
    page, stranger = browser.new_page(), browser.new_page()
    for visit in (page, stranger):
        visit.set_default_timeout(180_000)
        visit.goto(f"{fresh}/batch")
        visit.get_by_role("button", name=wordings.JUDGE_THEM).wait_for()
        visit.locator("[data-test-script-state=notRunning]").wait_for()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(40):
            archive.write(GALLERY[0], f"{number}.webp")
    file = {"name": "many.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_text("many.zip").wait_for()
    page.get_by_role("button", name=wordings.JUDGE_THEM).click()
    page.get_by_role("button", name=wordings.STOP).wait_for()

    stranger.evaluate(SEND, [f"{fresh.replace('http', 'ws')}/_stcore/stream", list(CLEAR_CACHE)])
    assert page.get_by_role("button", name=wordings.STOP).is_visible()  # all this while the batch runs

    page.reload()
    page.get_by_role("button", name=wordings.DELETE_AND_BEGIN_ANOTHER).wait_for()
    page.get_by_text(wordings.N_40_OF_40_MEMES).wait_for()
    errors = page.get_by_test_id("stMetric").filter(has_text=wordings.ERRORS).get_by_test_id("stMetricValue")
    expect(errors).to_have_count(1)  # while a page is drawn anew, the old one stays beside it for a moment
    assert errors.inner_text() == "0"
