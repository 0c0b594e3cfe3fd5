"""A person with a browser on the pages Search and Robustness."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect

from tests import wordings

pytestmark = pytest.mark.browser
FILES = "input[type=file]:not([webkitdirectory])"  # the uploader of folders may be drawn first


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", (320, 240), colour)
    ImageDraw.Draw(image).ellipse((300, 220, 310, 230), fill="white")
    image.save(buffer, "PNG")
    return buffer.getvalue()


def packed() -> dict[str, Any]:
    """A ZIP as Playwright wants a file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, colour in (
            ("red", (255, 0, 0)),
            ("green", (20, 200, 20)),
            ("blue", (20, 20, 200)),
            ("sea", (22, 20, 200)),
        ):
            archive.writestr(f"{name}.png", picture(colour))
        archive.writestr("captions.txt", "green.png\ta green meadow\nblue.png\ta blue lake\n")
    return {"name": "memes.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}


def test_search_a_zip_by_words(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name=wordings.SEARCH).click()
    page.get_by_role("heading", name=wordings.SEARCH_PICTURES_BY_WHAT_IS_ON_THEM).wait_for()
    page.locator(FILES).first.set_input_files(packed())
    page.get_by_role("button", name=wordings.INDEX_THEM).click()
    page.get_by_role("heading", name=wordings.SEARCH_4_PICTURES).wait_for()

    words = page.get_by_role("textbox", name=wordings.WORDS)
    words.fill("something red")
    words.press("Enter")
    page.get_by_text(re.compile(wordings.FOUND_IN_MS)).wait_for()
    expect(page.get_by_role("button", name=wordings.SHOW, exact=True)).to_have_count(1)  # above the review band
    page.get_by_role("button", name=wordings.SHOW, exact=True).click()
    expect(page.get_by_role("button", name=wordings.SHOW, exact=True)).to_have_count(0)

    page.get_by_role("tab", name=wordings.CAPTIONS).click()
    page.get_by_text("a green meadow").first.wait_for()
    page.get_by_role("tab", name=wordings.NEAR_DUPLICATES).click()
    page.get_by_text(wordings.GROUP_1).wait_for()


def test_a_bad_zip_gets_a_sentence(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name=wordings.SEARCH).click()
    page.get_by_role("heading", name=wordings.SEARCH_PICTURES_BY_WHAT_IS_ON_THEM).wait_for()
    bad = {"name": "memes.zip", "mimeType": "application/zip", "buffer": b"this is no zip"}
    page.locator(FILES).first.set_input_files(bad)
    page.get_by_role("button", name=wordings.INDEX_THEM).click()
    page.get_by_text(wordings.THIS_IS_NOT_A_ZIP_FILE).wait_for()


def test_the_samples_are_found_by_the_real_towers(real: str, visitor: Any) -> None:
    page = visitor(real)
    page.get_by_role("link", name=wordings.SEARCH).click()
    page.get_by_role("button", name=wordings.USE_THE_SAMPLE_MEMES).click()
    page.get_by_role("heading", name=re.compile(wordings.SEARCH_PICTURES)).wait_for()
    words = page.get_by_role("textbox", name=wordings.WORDS)
    words.fill("a dog")
    words.press("Enter")
    page.get_by_text(re.compile(wordings.FOUND_IN_MS)).wait_for()
    expect(page.locator('[role="alert"]')).to_have_count(0)


def test_attack_a_meme(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name=wordings.ROBUSTNESS).click()
    page.get_by_role("heading", name=wordings.HOW_MUCH_DOES_IT_TAKE_TO_FOOL).wait_for()
    box = page.get_by_test_id("stChatInput").get_by_role("textbox")
    box.fill("I despise queues")
    box.press("Enter")
    page.get_by_text(wordings.TYPOS).click()
    page.get_by_text(wordings.SMALLEST_CHANGE_THAT_FLIPS_THE_VERDICT).wait_for()
    page.get_by_text(wordings.LOOK_ALIKE_LETTERS, exact=True).click()
    page.get_by_role("slider", name=wordings.STRENGTH).wait_for()


def test_search_for_pixels(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name=wordings.ROBUSTNESS).click()
    page.get_by_role("heading", name=wordings.HOW_MUCH_DOES_IT_TAKE_TO_FOOL).wait_for()
    meme = {"name": "meme.png", "mimeType": "image/png", "buffer": picture((20, 200, 20))}
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name=wordings.PIXEL_ATTACK).click()
    page.get_by_role("button", name=wordings.SEARCH_FOR_PIXELS).click()
    page.get_by_text(wordings.THE_PROBABILITY_WENT_FROM).wait_for()


def search_for_long(page: Any) -> None:
    """In the middle of a search for pixels of 2,000 tries."""
    page.get_by_role("link", name=wordings.ROBUSTNESS).click()
    page.get_by_role("heading", name=wordings.HOW_MUCH_DOES_IT_TAKE_TO_FOOL).wait_for()
    meme = {"name": "meme.png", "mimeType": "image/png", "buffer": picture((20, 200, 20))}
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name=wordings.PIXEL_ATTACK).click()
    page.get_by_role("slider", name=wordings.PICTURES_TO_TRY).press("End")
    page.get_by_text("2000").first.wait_for()
    progress = page.get_by_text(re.compile(wordings.OF_2_000_PICTURES_TRIED))
    for _ in range(5):  # the slider shows its value before the server knows it, and a short search may have begun
        page.get_by_role(
            "button", name=re.compile(f"{wordings.SEARCH_FOR_PIXELS}|{wordings.START_AGAIN}")
        ).first.click()
        try:
            progress.wait_for(timeout=30_000)
            return
        except PlaywrightTimeout:
            continue
    progress.wait_for()


def test_a_search_for_pixels_is_stopped_with_what_it_has(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    search_for_long(page)
    page.locator("[class*=st-key-stop-] button").click()  # Streamlit's own in the corner is named so too
    page.get_by_text(re.compile(wordings.STOPPED_AFTER_PICTURES_OF_2_000)).wait_for()
    expect(page.get_by_alt_text(wordings.THE_PICTURE_AFTER)).to_be_visible()


def test_a_search_that_streamlit_stopped_is_no_frozen_panel(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    search_for_long(page)
    page.get_by_test_id("stStatusWidget").get_by_role("button", name=wordings.STOP).click()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.get_by_text(wordings.BLUR_PICTURES_UNTIL_CLICKED).click()  # any click
    page.get_by_text(re.compile(wordings.INTERRUPTED_AFTER_PICTURES_OF_2_000)).wait_for()
    page.get_by_role("button", name=wordings.START_AGAIN).click()
    page.get_by_text(re.compile(wordings.OF_2_000_PICTURES_TRIED)).wait_for()


def test_compare_fits_a_phone_and_remembers(fake: str, visitor: Any) -> None:
    page = visitor(fake, width=390, height=844)
    page.goto(f"{fake}/compare")
    words = page.get_by_role("textbox", name=wordings.ITS_WORDS)
    words.fill("we love mondays")
    words.press("Control+Enter")
    page.get_by_role("cell", name=wordings.SUBTEXTS_OWN_VERDICT_12_PERCENT).wait_for()
    tables = page.get_by_test_id("stTable")
    expect(tables).to_have_count(2)
    wider = tables.evaluate_all(
        "all => all.flatMap(one => [one, ...one.querySelectorAll('*')]).map(one => one.getBoundingClientRect().right)"
    )
    assert max(wider) <= 390
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name=wordings.SEARCH).click()
    page.get_by_role("heading", name=wordings.SEARCH_PICTURES_BY_WHAT_IS_ON_THEM).wait_for()
    page.get_by_role("link", name=wordings.COMPARE).click()
    expect(words).to_have_value("we love mondays")
    page.get_by_role("cell", name=wordings.SUBTEXTS_OWN_VERDICT_12_PERCENT).wait_for()
