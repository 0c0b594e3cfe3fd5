"""The report is one file: nothing of the meme is markup in it, nothing is fetched, the numbers are measured."""

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from components.analyze import report
from models.analysis import Caption, Meme
from tests import wordings
from tests.fakes import FakeAnalyzer

NASTY = '<script>alert("x")</script> <img src=http://example.org/x onerror=alert(1)> **b** & </style></title>'


class Tags(HTMLParser):
    """Collects the tags and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def build(text: str, image: Image.Image | None, failed: tuple[str, ...] = ()) -> str:
    caption = Caption(text, "override" if text else "none")
    return report.build(FakeAnalyzer(failed=failed).analyze(Meme(image, caption)), image)


def tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.tags


def test_nothing_of_the_caption_is_markup() -> None:
    page = build(NASTY, Image.new("RGB", (60, 40), (9, 9, 9)))
    assert {tag for tag, _ in tags(page)}.isdisjoint({"script", "iframe", "object", "embed", "link", "form", "base"})
    assert not any(name.startswith("on") for _, attributes in tags(page) for name in attributes)
    assert "&lt;script&gt;alert(" in page


def test_nothing_is_fetched() -> None:
    elements = tags(build(NASTY, Image.new("RGB", (60, 40), (9, 9, 9))))
    sources = [attributes["src"] or "" for tag, attributes in elements if tag == "img"]
    assert len(sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert not any("href" in attributes for _, attributes in elements)
    policy = next(attributes["content"] for tag, attributes in elements if attributes.get("http-equiv"))
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_picture_is_described() -> None:
    elements = tags(build("kind words", Image.new("RGB", (60, 40), (9, 9, 9))))
    assert all(attributes.get("alt") for tag, attributes in elements if tag == "img")
    assert all(attributes.get("aria-label") for tag, attributes in elements if tag == "svg")


@pytest.mark.parametrize(
    ("text", "label"), [("I despise queues", wordings.HATEFUL), ("kind words", wordings.NOT_HATEFUL)]
)
def test_it_tells_the_verdict_and_its_numbers(text: str, label: str) -> None:
    page = build(text, None)
    verdict = FakeAnalyzer().analyze(Meme(None, Caption(text, "override"))).verdict
    assert f">{label}</h1>" in page
    assert f">{verdict.probability:.0%}</text>" in page
    assert text in re.sub(r"<[^>]*>", "", page)
    assert page.count("data:image") == 0


def test_what_is_missing_is_said() -> None:
    assert wordings.NO_TEXT_FOUND in build("", Image.new("RGB", (60, 40), (255, 255, 255)))
    assert wordings.NO_FACE_FOUND in build("", Image.new("RGB", (60, 40), (255, 255, 255)))
    assert wordings.NO_PICTURE in build("words", None)


def test_a_failed_part_tells_its_sentence() -> None:
    page = build("words", None, failed=("evidence", "text emotions"))
    assert wordings.WHAT_MOVED_THE_SCORE_COULD_NOT_BE in page
    assert wordings.THE_EMOTIONS_IN_THE_WORDS_COULD_NOT in page
