"""A person with a browser on the pages Search and Robustness."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

pytestmark = pytest.mark.browser
FILES = "input[type=file]:not([webkitdirectory])"  # the uploader of folders may be drawn first


def picture(colour: tuple[int, int, int]) -> bytes:
    held = io.BytesIO()
    image = Image.new("RGB", (320, 240), colour)
    ImageDraw.Draw(image).ellipse((300, 220, 310, 230), fill="white")
    image.save(held, "PNG")
    return held.getvalue()


def packed() -> dict[str, Any]:
    """A ZIP as Playwright wants a file."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, colour in (
            ("red", (255, 0, 0)),
            ("green", (20, 200, 20)),
            ("blue", (20, 20, 200)),
            ("sea", (22, 20, 200)),
        ):
            archive.writestr(f"{name}.png", picture(colour))
        archive.writestr("captions.txt", "green.png\ta green meadow\nblue.png\ta blue lake\n")
    return {"name": "memes.zip", "mimeType": "application/zip", "buffer": held.getvalue()}


def test_search_a_zip_by_words(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name="Search").click()
    page.get_by_role("heading", name="Search pictures by what is on them").wait_for()
    page.locator(FILES).first.set_input_files(packed())
    page.get_by_role("button", name="Index them").click()
    page.get_by_role("heading", name="Search 4 pictures").wait_for()

    words = page.get_by_role("textbox", name="Words")
    words.fill("something red")
    words.press("Enter")
    page.get_by_text(re.compile("found in .* ms")).wait_for()
    expect(page.get_by_role("button", name="Show", exact=True)).to_have_count(1)  # above the review band
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("button", name="Show", exact=True)).to_have_count(0)

    page.get_by_role("tab", name="Captions").click()
    page.get_by_text("a green meadow").first.wait_for()
    page.get_by_role("tab", name="Near-duplicates").click()
    page.get_by_text("Group 1").wait_for()


def test_a_bad_zip_gets_a_sentence(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name="Search").click()
    page.get_by_role("heading", name="Search pictures by what is on them").wait_for()
    bad = {"name": "memes.zip", "mimeType": "application/zip", "buffer": b"this is no zip"}
    page.locator(FILES).first.set_input_files(bad)
    page.get_by_role("button", name="Index them").click()
    page.get_by_text("This is not a ZIP file").wait_for()


def test_the_samples_are_found_by_the_real_towers(real: str, visitor: Any) -> None:
    page = visitor(real)
    page.get_by_role("link", name="Search").click()
    page.get_by_role("button", name="Use the sample memes").click()
    page.get_by_role("heading", name=re.compile(r"Search \d+ pictures")).wait_for()
    words = page.get_by_role("textbox", name="Words")
    words.fill("a dog")
    words.press("Enter")
    page.get_by_text(re.compile("found in .* ms")).wait_for()
    expect(page.locator('[role="alert"]')).to_have_count(0)


def test_attack_a_meme(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name="Robustness").click()
    page.get_by_role("heading", name="How much does it take to fool it?").wait_for()
    box = page.get_by_test_id("stChatInput").get_by_role("textbox")
    box.fill("I despise queues")
    box.press("Enter")
    page.get_by_text("Typos").click()
    page.get_by_text("Smallest change that flips the verdict").wait_for()
    page.get_by_text("Look-alike letters", exact=True).click()
    page.get_by_role("slider", name="Strength").wait_for()


def test_search_for_pixels(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    page.get_by_role("link", name="Robustness").click()
    page.get_by_role("heading", name="How much does it take to fool it?").wait_for()
    meme = {"name": "meme.png", "mimeType": "image/png", "buffer": picture((20, 200, 20))}
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name="Pixel attack").click()
    page.get_by_role("button", name="Search for pixels").click()
    page.get_by_text("The probability went from").wait_for()


def search_for_long(page: Any) -> None:
    """In the middle of a search for pixels of 2,000 tries."""
    page.get_by_role("link", name="Robustness").click()
    page.get_by_role("heading", name="How much does it take to fool it?").wait_for()
    meme = {"name": "meme.png", "mimeType": "image/png", "buffer": picture((20, 200, 20))}
    page.locator("input[type=file]").first.set_input_files(meme)
    page.get_by_role("tab", name="Pixel attack").click()
    page.get_by_role("slider", name="Pictures to try").press("End")
    page.get_by_text("2000").first.wait_for()
    page.get_by_role("button", name="Search for pixels").click()
    page.get_by_text(re.compile(r"\d+ of 2,000 pictures tried")).wait_for()


def test_a_search_for_pixels_is_stopped_with_what_it_has(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    search_for_long(page)
    page.locator("[class*=st-key-stop-] button").click()  # Streamlit's own in the corner is named so too
    page.get_by_text(re.compile(r"Stopped after [\d,]+ pictures of 2,000")).wait_for()
    expect(page.get_by_alt_text("The picture after")).to_be_visible()


def test_a_search_that_streamlit_stopped_is_no_frozen_panel(fake: str, visitor: Any) -> None:
    page = visitor(fake)
    search_for_long(page)
    page.get_by_test_id("stStatusWidget").get_by_role("button", name="Stop").click()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    page.get_by_text("Blur pictures until clicked").click()  # any click
    page.get_by_text(re.compile(r"interrupted after [\d,]+ pictures of 2,000")).wait_for()
    page.get_by_role("button", name="Start again").click()
    page.get_by_text(re.compile(r"\d+ of 2,000 pictures tried")).wait_for()


def test_compare_fits_a_phone_and_remembers(fake: str, visitor: Any) -> None:
    page = visitor(fake, width=390, height=844)
    page.goto(f"{fake}/compare")
    words = page.get_by_role("textbox", name="Its words")
    words.fill("we love mondays")
    words.press("Control+Enter")
    page.get_by_role("cell", name="Subtext's own verdict 12%").wait_for()
    tables = page.get_by_test_id("stTable")
    expect(tables).to_have_count(2)
    wider = tables.evaluate_all(
        "all => all.flatMap(one => [one, ...one.querySelectorAll('*')]).map(one => one.getBoundingClientRect().right)"
    )
    assert max(wider) <= 390
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Search").click()
    page.get_by_role("heading", name="Search pictures by what is on them").wait_for()
    page.get_by_role("link", name="Compare").click()
    expect(words).to_have_value("we love mondays")
    page.get_by_role("cell", name="Subtext's own verdict 12%").wait_for()
