"""Boxes follow a picture to another size, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from models.analysis import Caption, Line, Meme
from models.analyzer import LEFT_OUT
from models.io.captions import PartlyRead
from models.io.language import detect, with_language
from models.scaling import to_size

if TYPE_CHECKING:
    from models.analyzer import Analyzer

CAPTION = Caption("we hate mondays", "ocr", (Line("we hate mondays", 0.9, (10.0, 20.0, 30.0, 40.0)),))
PICTURE = Image.effect_noise((80, 60), 60).convert("RGB")


def test_a_shrunk_picture_s_analysis_is_in_pixels_of_the_one_given(tiny_analyzer: Analyzer) -> None:
    as_seen = tiny_analyzer.analyze(Meme(PICTURE, CAPTION, "PNG", "00"))
    as_given = tiny_analyzer.analyze(Meme(PICTURE, CAPTION, "PNG", "00", size=(800, 300)))
    assert as_given.image is not None and (as_given.image.width, as_given.image.height) == (800, 300)
    assert as_given.caption.lines[0].box == (100.0, 100.0, 300.0, 200.0)
    assert as_given.evidence.regions[-1].box == (600.0, 225.0, 800.0, 300.0)
    assert replace(to_size(as_given, 80, 60), stages=()) == replace(as_seen, stages=())


def test_words_alone_and_the_same_size_change_nothing(tiny_analyzer: Analyzer) -> None:
    words = tiny_analyzer.analyze(Meme(None, CAPTION), explain=False)
    assert to_size(words, 5, 5) is words
    both = tiny_analyzer.analyze(Meme(PICTURE, CAPTION), explain=False)
    assert to_size(both, 80, 60) is both


def test_lines_that_were_not_read_are_told_and_the_json_stays_as_it_is(tiny_analyzer: Analyzer) -> None:
    partly = PartlyRead(CAPTION.text, "ocr", CAPTION.lines, (), left_out=1_234)
    for explain in (True, False):
        analysis = tiny_analyzer.analyze(Meme(PICTURE, partly), explain=explain)
        assert analysis.explanation.cautions[0] == LEFT_OUT.format("1,234")
        assert analysis.caption == with_language(CAPTION, detect(CAPTION.text))
        whole = tiny_analyzer.analyze(Meme(PICTURE, CAPTION), explain=explain)
        assert analysis.to_dict()["caption"] == whole.to_dict()["caption"]
