"""A person with a browser: upload, verdict, correction, a picked word, the download; and two persons at once."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import expect

from models.analysis import Analysis
from tests import wordings

pytestmark = pytest.mark.browser

KIND = "I love Muslims, they are wonderful neighbours"
HATEFUL = "I despise Muslims, they are vermin and must be wiped out"


def meme(words: str = "OUR NEIGHBOURS ARE KIND") -> dict[str, Any]:
    """A drawn meme as Playwright wants a file."""
    image = Image.new("RGB", (640, 480), (70, 110, 150))
    draw = ImageDraw.Draw(image)
    draw.ellipse((220, 170, 420, 370), fill=(240, 200, 90))
    draw.text((320, 50), words, font=ImageFont.load_default(40), fill="white", anchor="mm")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {"name": "meme.png", "mimeType": "image/png", "buffer": buffer.getvalue()}


def verdict(page: Any) -> Any:
    return page.get_by_test_id("stHeading").get_by_role("heading", level=1)


def box_of(page: Any) -> Any:
    return page.get_by_role("textbox", name=wordings.WORDS_OF_THE_MEME)


def correct(page: Any, words: str) -> None:
    box = box_of(page)
    box.fill(words)
    box.press("Control+Enter")


@pytest.mark.parametrize("which", ["fake", "real"])
def test_the_whole_way(which: str, visitor: Any, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page = visitor(request.getfixturevalue(which))
    page.locator("input[type=file]").first.set_input_files(meme())
    verdict(page).filter(has_text=wordings.NOT_HATEFUL).wait_for()
    page.get_by_role("tab", name=wordings.ATTENTION).wait_for()
    expect(box_of(page)).to_have_value(re.compile(r"\S"))

    correct(page, HATEFUL)
    verdict(page).filter(has_text=wordings.HATEFUL).filter(has_not_text="Not").wait_for()
    page.get_by_text(wordings.WRITTEN_BY_YOU).wait_for()

    page.get_by_role("tab", name=wordings.ATTENTION).click()
    page.get_by_role("radio", name="vermin", exact=True).click()
    page.get_by_text(wordings.VERMIN_MOST_AT_THE).wait_for()

    page.get_by_role("button", name=wordings.DOWNLOAD).click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=wordings.ANALYSIS_AS_JSON).click()
    assert waiting.value.suggested_filename.startswith("subtext-")
    waiting.value.save_as(tmp_path / "analysis.json")
    analysis = Analysis.from_dict(json.loads((tmp_path / "analysis.json").read_text(encoding="utf-8")))
    assert analysis.caption.text == HATEFUL
    assert analysis.verdict.label == "hateful"

    with page.expect_download() as waiting:
        page.get_by_role("button", name=wordings.REPORT_AS_HTML).click()
    waiting.value.save_as(tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f">{wordings.HATEFUL}</h1>" in report
    assert "data:image/jpeg;base64," in report


@pytest.mark.parametrize("which", ["fake", "real"])
def test_two_visitors_see_their_own_memes(which: str, visitor: Any, request: pytest.FixtureRequest) -> None:
    address = request.getfixturevalue(which)
    visitors_page, other = visitor(address), visitor(address)
    for page, words in ((visitors_page, HATEFUL), (other, KIND)):
        box = page.get_by_placeholder(wordings.TYPE_WORDS_OR_PASTE_A_PICTURE_HERE)
        box.fill(words)
        box.press("Enter")
    verdict(visitors_page).filter(has_text=wordings.HATEFUL).wait_for()
    verdict(other).filter(has_text=wordings.NOT_HATEFUL).wait_for()
    expect(box_of(visitors_page)).to_have_value(HATEFUL)
    expect(box_of(other)).to_have_value(KIND)
    assert KIND not in visitors_page.content()
    assert "vermin" not in other.content()


def test_the_ways_in_are_in_sight_without_scrolling(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    buttons = page.locator("[class*=st-key-sample-] button")
    buttons.first.wait_for()
    for part in (
        page.get_by_role("button", name="Upload").first,
        page.get_by_placeholder(wordings.TYPE_WORDS),
        buttons.first,
    ):
        box = part.bounding_box()
        assert box["y"] + box["height"] <= 800


def test_the_answer_is_in_the_first_screen(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.locator("input[type=file]").first.set_input_files(meme())
    page.get_by_role("tab", name=wordings.EVIDENCE).wait_for()
    for part in (
        verdict(page),
        page.get_by_text("A sentence of the length").last,
        page.get_by_alt_text(wordings.UNDER_A_HEAT),
    ):
        box = part.first.bounding_box()
        assert box["y"] + box["height"] <= 800


def test_markup_in_a_caption_is_shown_as_text(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail("a script of the caption ran"))
    words = "<script>alert(1)</script> <img src=//example.invalid/x onerror=alert(1)> **bold** :red[x] :material/home:"
    box = page.get_by_placeholder(wordings.TYPE_WORDS_OR_PASTE_A_PICTURE_HERE)
    box.fill(words)
    box.press("Enter")
    page.get_by_role("tab", name=wordings.ATTENTION).wait_for()
    for tab in (wordings.ATTENTION, wordings.EVIDENCE, wordings.EMOTIONS):
        page.get_by_role("tab", name=tab).click()
        panel = page.get_by_role("tabpanel", name=tab)
        panel.wait_for()
        if tab != wordings.EMOTIONS:
            panel.get_by_text("**bold**").first.wait_for()
    assert page.get_by_test_id("stButtonGroup").get_by_test_id("stIconMaterial").count() == 0
    assert page.locator("strong", has_text="bold").count() == 0
    assert not any("example.invalid" in url for url in requested)


def test_a_blurred_picture_is_not_sent_before_the_click(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_text(wordings.BLUR_PICTURES_UNTIL_CLICKED).click()
    page.get_by_text(wordings.OR_START_WITH_A_SAMPLE).wait_for()
    page.locator("input[type=file]").first.set_input_files(meme())
    page.get_by_role("button", name=wordings.SHOW_THE_PICTURE).first.wait_for()
    assert page.locator("[data-testid=stMain] img").evaluate_all("all => all.every(one => one.alt.includes('blurred'))")
    page.get_by_role("button", name=wordings.SHOW_THE_PICTURE).first.click()
    page.get_by_alt_text(wordings.UNDER_A_HEAT).wait_for()
    for other in (wordings.COMPARE, wordings.EVALUATION):  # who asks for it on one page means all of them
        page.get_by_role("link", name=other).click()
        page.get_by_role(
            "heading", level=1, name=wordings.COMPARE if other == wordings.COMPARE else wordings.HOW_WELL
        ).wait_for()
        page.locator("[data-test-script-state=notRunning]").wait_for()
        assert (
            page.get_by_role("switch", name=wordings.BLUR)
            .or_(page.get_by_role("checkbox", name=wordings.BLUR))
            .is_checked()
        )


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(width: int, fake: str, visitor: Any) -> None:
    page = visitor(fake, width=width, height=844)
    page.locator("input[type=file]").first.set_input_files(meme())
    page.get_by_role("tab", name=wordings.EVIDENCE).wait_for()
    for tab in (wordings.EVIDENCE, wordings.ATTENTION, wordings.EMOTIONS, wordings.DETAILS):
        page.get_by_role("tab", name=tab).click()
        page.get_by_role("tabpanel", name=tab).wait_for()
        page.locator("[data-test-script-state=notRunning]").wait_for()
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # laid out
        main = page.get_by_test_id("stMain")
        wide = main.evaluate("main => main.scrollWidth - main.clientWidth")
        assert wide <= 1, tab
