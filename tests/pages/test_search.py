"""The Search page through its front door: ways in, questions, captions, scores, duplicates, and every bad ZIP."""

from __future__ import annotations

import io
import re
import zipfile

import pytest
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from components.explore import search
from components.shared.escaping import for_markdown
from models.io.samples import samples
from tests import wordings
from tests.app_for_tests import everything, open_page
from tests.fakes import FakeAnalyzer

COLOURS = {"red.png": (255, 0, 0), "green.png": (20, 200, 20), "blue.png": (20, 20, 200), "again.png": (20, 20, 201)}


@pytest.fixture
def page(analyzer: FakeAnalyzer) -> AppTest:
    return open_page("pages/explore/search.py")


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    image = Image.new("RGB", (90, 60), colour)
    ImageDraw.Draw(image).point((1, 1), "white")
    image.save(buffer, "PNG")
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def memes() -> bytes:
    table = b"green.png\tgreen grass\nblue.png\ta blue lake\n"
    return zipped(**{name: picture(colour) for name, colour in COLOURS.items()}, **{"captions.txt": table})


def captions(at: AppTest) -> list[str]:
    """The small print, as it is read: the backslashes only keep Markdown from seeing marks in names."""
    return [element.value.replace("\\", "") for element in at.caption]


def give(at: AppTest, data: bytes, name: str = "memes.zip") -> AppTest:
    at.file_uploader[0].upload(name, data, "application/zip")
    at.run()
    next(element for element in at.button if element.label == wordings.INDEX_THEM).click()
    return at.run()


def ask(at: AppTest, words: str) -> AppTest:
    at.text_input[0].set_value(words)
    return at.run()


def test_a_zip_is_indexed_and_words_find_its_pictures(page: AppTest) -> None:
    give(page, memes())
    assert page.title[0].value == wordings.SEARCH_4_PICTURES
    ask(page, "something green")
    assert not page.exception
    thumbnails = [value for value in captions(page) if ".png" in value]
    assert "green.png" in thumbnails[0] and thumbnails[0].startswith("**0.9")  # the closest comes first
    assert wordings.FOUND_IN in everything(page)


def test_captions_come_with_their_similarity(page: AppTest) -> None:
    give(page, memes())
    ask(page, "blue")
    assert "a blue lake" in everything(page)
    assert "green grass" in everything(page)
    assert re.search(wordings.THE_CLOSEST_OF_CAPTIONS, everything(page))


def test_words_beside_a_picture_say_which_of_them_counts(page: AppTest) -> None:
    give(page, memes())
    ask(page, "blue")
    assert wordings.CLEAR_THEM_TO_SEARCH_BY_THE_PICTURE not in everything(page)
    page.file_uploader[0].upload("asked.png", picture((250, 5, 5)), "image/png")
    page.run()
    assert wordings.CLEAR_THEM_TO_SEARCH_BY_THE_PICTURE in everything(page)
    ask(page, "")
    assert not page.exception
    assert wordings.CLEAR_THEM not in everything(page) and wordings.FOUND_IN in everything(page)


def test_near_duplicates_are_grouped(page: AppTest) -> None:
    give(page, memes())
    assert wordings.GROUP_1_2_PICTURES in everything(page)


def test_a_near_copy_of_a_picture_above_the_review_band_is_blurred_too(page: AppTest) -> None:
    pictures = {name: picture(COLOURS[name]) for name in ("blue.png", "again.png", "green.png")}
    give(page, zipped(**pictures, **{"captions.txt": b"blue.png\tI despise them\n"}))
    assert wordings.GROUP_1_2_PICTURES in everything(page)
    keys = [element.key for element in page.button if element.label == wordings.SHOW]
    assert len([key for key in keys if "same-1" in key]) == 2
    assert len([key for key in keys if "nearest" in key]) == 1  # among all pictures each counts for itself


def test_a_picture_above_the_review_band_stays_blurred_until_it_is_clicked(page: AppTest) -> None:
    give(page, memes())
    ask(page, "red")
    shows = [element for element in page.button if element.label == wordings.SHOW]
    assert len(shows) == 1
    shows[0].click()
    page.run()
    assert not [element for element in page.button if element.label == wordings.SHOW]


def test_the_switch_blurs_every_picture_and_covers_again_what_was_revealed(page: AppTest) -> None:
    def covered() -> list[str]:
        return [element.key for element in page.button if element.label == wordings.SHOW and "nearest" in element.key]

    give(page, memes())
    ask(page, "red")
    next(element for element in page.button if element.label == wordings.SHOW).click()
    page.run()
    assert not covered()
    next(element for element in page.toggle if wordings.BLUR in element.label).set_value(True).run()
    assert len(covered()) == len(COLOURS)


def test_the_range_of_scores_leaves_pictures_out(page: AppTest) -> None:
    give(page, memes())
    page.slider[0].set_value((50, 100))
    page.run()
    ask(page, "green")
    assert "red.png" in next(value for value in captions(page) if "hate" in value)
    assert not any("green.png" in value and "**0" in value for value in captions(page))
    page.slider[0].set_value((30, 50))
    page.run()
    assert wordings.NO_PICTURE_LIES_IN_THIS_RANGE in everything(page)


def expanders(at: AppTest) -> list[str]:
    return [element.label.replace("\\", "") for element in at.expander]


def test_what_could_not_be_read_is_named_in_sight(page: AppTest) -> None:
    give(page, zipped(**{"red.png": picture((255, 0, 0)), "broken.png": b"just text"}))
    assert page.title[0].value == wordings.SEARCH_1_PICTURES
    assert wordings.COULD_NOT_BE_USED_BROKEN_PNG in expanders(page)
    assert wordings.THIS_IS_A_TEXT_FILE in everything(page)  # and why


@pytest.mark.parametrize(
    ("names", "title"),
    [
        (["a"], wordings.COULD_NOT_BE_USED_A),
        (list("abcde"), wordings.COULD_NOT_BE_USED_A_B_C),
        ([], wordings.SOMETHING_COULD),
    ],
)
def test_the_strip_of_problems_stays_short(names: list[str], title: str) -> None:
    assert search.unread(names).startswith(title)


def test_samples_go_by_the_same_name_everywhere(page: AppTest) -> None:
    titles = [sample.label for sample in samples()]
    next(element for element in page.button if element.label == wordings.USE_THE_SAMPLE_MEMES).click()
    page.run()
    shown = " ".join(captions(page))
    assert sum(f" {for_markdown(title)}" in shown for title in titles) >= search.MAX_SHOWN and ".webp" not in shown
    page.switch_page("pages/compare/compare.py").run()
    assert page.selectbox(key="compare-sample").options == titles


def test_uploaders_have_names_that_can_be_spoken(page: AppTest) -> None:
    for script in ("pages/explore/search.py", "pages/analyze/meme.py", "pages/compare/compare.py"):
        page.switch_page(script).run()
        assert page.file_uploader and not [
            element.label for element in page.file_uploader if ":material" in element.label
        ]


def test_the_samples_can_be_searched(page: AppTest) -> None:
    next(element for element in page.button if element.label == wordings.USE_THE_SAMPLE_MEMES).click()
    page.run()
    assert not page.exception
    assert page.title[0].value == f"Search {len(samples())} pictures"
    entries = page.session_state["search"].library.entries
    words = {sample.file.name: " ".join(sample.caption.split()) for sample in samples() if sample.caption}
    assert len(words) > 5  # they are judged by these, as on the other pages
    assert {entry.name: entry.captions for entry in entries if entry.name in words} == {
        name: (text,) for name, text in words.items()
    }
    next(element for element in page.button if element.label == wordings.OTHER_PICTURES).click()
    page.run()
    assert page.title[0].value == wordings.SEARCH_PICTURES_BY_WHAT_IS_ON_THEM


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no zip at all", wordings.THIS_IS_NOT_A_ZIP_FILE),
        (zipped(**{"../climbs.png": b"x"}), wordings.CLIMBS_OUT_OF_ITS_FOLDER),
        (zipped(**{"notes.md": b"x"}), wordings.THERE_IS_NO_PICTURE_IN_WHAT_YOU),
        (zipped(**{"a.png": b"just text"}), wordings.NONE_OF_THE_1_PICTURES_COULD_BE),
    ],
)
def test_a_bad_zip_gets_a_sentence_and_another_can_be_given(page: AppTest, data: bytes, sentence: str) -> None:
    give(page, data)
    assert not page.exception
    assert sentence in everything(page).replace("\\", "")
    give(page, memes())
    assert page.title[0].value == wordings.SEARCH_4_PICTURES


def test_a_bomb_gets_a_sentence(page: AppTest) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(9_000_000))
    give(page, buffer.getvalue())
    assert wordings.TIMES_ITS_SIZE in everything(page)


def test_names_and_captions_are_no_markup(page: AppTest) -> None:
    give(page, zipped(**{"red.png": picture((20, 20, 200)), "c.txt": b"red.png\t**blue** <script>alert(1)</script>\n"}))
    ask(page, "blue")
    assert "**blue** &lt;script&gt;" in everything(page)  # in an element that reads no Markdown
    assert "<script>" not in everything(page)


def test_a_query_that_is_no_picture_gets_a_sentence(page: AppTest) -> None:
    give(page, memes())
    page.file_uploader[0].upload("asked.png", b"just text", "image/png")
    page.run()
    assert not page.exception
    assert wordings.TEXT_FILE in everything(page)


def test_a_stop_keeps_what_is_there(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rerun that a click causes ends the script at the bar's next step; what was indexed can be searched."""

    class Rerun(BaseException):
        pass

    from models.search import collection

    libraries: list[collection.Library] = []

    def build(built: collection.Library, files: object, space: object, **named: object) -> collection.Library:
        libraries.append(built)
        built.add([collection.Entry("a.png", picture((1, 2, 3)))], [Image.new("RGB", (224, 224))], space)  # type: ignore[arg-type]
        named["on_done"](4, 8)  # type: ignore[operator]
        return built

    monkeypatch.setattr(search.library, "build", build)
    give(page, memes())
    assert page.title[0].value == wordings.SEARCH_1_PICTURES
