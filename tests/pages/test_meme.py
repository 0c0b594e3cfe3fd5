"""The app through its front door: each way in, each failure, and what stays when something fails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from components.analyze import report
from components.shared import intake, visit
from components.shared.failures import UNEXPECTED
from models.analysis import Analysis, Line, Meme
from models.errors import BadWeights, PartUnavailable
from models.io.captions import IllegibleLine
from models.io.samples import samples
from tests import wordings
from tests.app_for_tests import button, everything, open_app
from tests.conftest import drawn
from tests.fakes import FakeAnalyzer


@pytest.fixture
def app(analyzer: FakeAnalyzer) -> AppTest:
    """The page as it opens."""
    return open_app()


def visited(at: AppTest) -> visit.Visit:
    return at.session_state["visit"]


def type_words(at: AppTest, words: str) -> AppTest:
    at.chat_input[0].set_value(words)
    return at.run()


def upload(at: AppTest, data: bytes, name: str = "meme.png") -> AppTest:
    at.file_uploader[0].upload(name, data, "image/png")
    return at.run()


def test_the_first_screen_offers_every_way_in_and_asks_for_no_camera(app: AppTest) -> None:
    assert app.title[0].value == wordings.WHAT_DOES_THIS_MEME_SAY
    assert len(app.file_uploader) == 1
    assert len(app.chat_input) == 1
    assert len(app.camera_input) == 0
    assert sum(element.key.startswith("sample-") for element in app.button) == len(samples())
    assert not app.error


def test_words_alone_get_a_verdict(app: AppTest, analyzer: FakeAnalyzer) -> None:
    type_words(app, "I despise queues")
    assert wordings.HATEFUL in app.title[0].value
    assert app.text_area[0].value == "I despise queues"
    assert analyzer.reader.calls == 0
    assert wordings.NO_PICTURE_SO_THERE_IS_NOTHING_TO in everything(app)
    assert not app.exception


def test_the_language_of_the_words_is_named(
    app: AppTest, analyzer: FakeAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = analyzer.analyze

    def analyze(meme: Meme, **options: Any) -> Analysis:
        analysis = answer(meme, **options)
        code = "de" if "Kuchen" in meme.caption.text else "und"
        return replace(analysis, caption=replace(analysis.caption, language=code))

    monkeypatch.setattr(analyzer, "analyze", analyze)
    type_words(app, "Der Nachbar backt Kuchen")
    shown = everything(app)
    assert wordings.GERMAN in shown
    assert shown.count(wordings.IT_IS_A_GUESS) == 3  # beside harm, emotions and lenses
    app.text_area[0].set_value("lol").run()
    assert wordings.LANGUAGE_UNCLEAR in everything(app)
    assert wordings.IT_IS_A_GUESS not in everything(app)


def test_the_page_says_which_reading_decided(app: AppTest) -> None:
    type_words(app, "I desp1se queues")
    assert wordings.HATEFUL in app.title[0].value
    assert wordings.READ_AS_DESPISE_QUEUES in everything(app).replace("\\", "").replace("\u2060", "")
    assert app.text_area[0].value == "I desp1se queues"


def test_an_upload_is_read_by_ocr_and_analyzed(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    assert app.text_area[0].value == "when the tests pass"
    assert wordings.READ_FROM_THE_PICTURE in everything(app)
    assert wordings.NOT_HATEFUL in app.title[0].value
    assert analyzer.calls == ["when the tests pass"]
    assert visited(app).results.popitem()[1].stages[0].name == "ocr"


def test_a_picture_without_words_says_so(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.reader.lines = []
    upload(app, drawn())
    said = everything(app)
    assert wordings.NO_WORDS in said
    assert wordings.NO_TEXT_FOUND_SO_THERE_ARE_NO in said


def test_a_pasted_picture_comes_with_its_words(app: AppTest, analyzer: FakeAnalyzer) -> None:
    app.chat_input[0].upload("image.png", drawn(), "image/png").set_value("my own words")
    app.run()
    assert analyzer.calls == ["my own words"]
    assert analyzer.reader.calls == 0
    assert visited(app).picture is not None


def test_a_pasted_picture_alone_is_read(app: AppTest, analyzer: FakeAnalyzer) -> None:
    app.chat_input[0].upload("image.png", drawn(), "image/png")
    app.run()
    assert analyzer.calls == ["when the tests pass"]


def test_the_camera_opens_when_asked_for(app: AppTest, analyzer: FakeAnalyzer) -> None:
    next(element for element in app.toggle if element.key == "camera_on").set_value(True).run()
    assert len(app.camera_input) == 1
    app.camera_input[0].set_value(("photo.jpg", drawn(kind="JPEG"), "image/jpeg")).run()
    assert visited(app).alt == wordings.THE_PHOTOGRAPH
    assert analyzer.calls == ["when the tests pass"]


def test_a_sample_is_one_click_away(app: AppTest, analyzer: FakeAnalyzer) -> None:
    sample = samples()[0]
    button(app, sample.title).click().run()
    assert visited(app).alt == sample.alt
    assert len(analyzer.calls) == 1


def test_a_sample_in_a_script_that_the_ocr_cannot_read_brings_its_words(app: AppTest, analyzer: FakeAnalyzer) -> None:
    sample = next(sample for sample in samples() if sample.typed)
    button(app, sample.language).click().run()
    assert analyzer.calls == [sample.caption]
    assert analyzer.reader.calls == 0
    assert wordings.CANNOT_READ_THIS_SCRIPT in everything(app)


def test_words_in_an_unknown_script_are_asked_for(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.reader.lines = [IllegibleLine("", 0.0, (0, 0, 90, 20))]
    upload(app, drawn())
    assert wordings.IN_A_SCRIPT_THAT_THE_OCR_CANNOT_READ in everything(app)
    app.text_area[0].set_value("صباح الخير").run()
    assert wordings.IN_A_SCRIPT_THAT_THE_OCR_CANNOT_READ not in everything(app)


def test_a_correction_runs_everything_but_the_ocr(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    app.text_area[0].set_value("I despise queues").run()
    assert wordings.HATEFUL in app.title[0].value
    assert wordings.WRITTEN_BY_YOU in everything(app)
    assert analyzer.calls == ["when the tests pass", "I despise queues"]
    assert analyzer.reader.calls == 1


def test_the_way_back_to_the_ocr_costs_nothing(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    app.text_area[0].set_value("I despise queues").run()
    button(app, wordings.BACK_TO_THE_OCR).click().run()
    assert app.text_area[0].value == "when the tests pass"
    assert wordings.READ_FROM_THE_PICTURE in everything(app)
    assert analyzer.calls == ["when the tests pass", "I despise queues"]  # the first result was kept
    assert analyzer.reader.calls == 1


def test_no_words_is_an_answer_too(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    button(app, wordings.JUDGE_WITHOUT_WORDS).click().run()
    assert app.text_area[0].value == ""
    assert analyzer.calls[-1] == ""
    assert analyzer.reader.calls == 1


def test_words_that_the_ocr_doubts_are_marked(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.reader.lines = [Line("cIear", 0.99, (0, 0, 9, 9)), Line("b1urred", 0.4, (0, 10, 9, 19))]
    upload(app, drawn())
    marked = next(element.value for element in app.html if wordings.NOT_SURE_OF_THIS in element.value)
    assert ">b1urred</span>" in marked
    assert ">cIear</span>" not in marked


def test_another_meme_forgets_this_one(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    button(app, wordings.ANOTHER_MEME).click().run()
    assert visited(app).empty
    assert not visited(app).results
    assert app.title[0].value == wordings.WHAT_DOES_THIS_MEME_SAY
    type_words(app, "second")
    assert app.text_area[0].value == "second"


@pytest.mark.parametrize(
    ("name", "data"), [("text.png", b"only words, no picture"), ("cut.png", drawn()[:200]), ("empty.png", b"")]
)
def test_a_bad_file_gets_a_sentence_and_the_ways_in_stay(app: AppTest, name: str, data: bytes) -> None:
    upload(app, data, name)
    assert len(app.error) == 1
    assert len(app.error[0].value) > 20
    assert "Traceback" not in everything(app)
    assert len(app.chat_input) == 1
    assert not app.exception


def test_words_sent_with_a_bad_picture_are_not_lost(app: AppTest, analyzer: FakeAnalyzer) -> None:
    app.chat_input[0].upload("image.png", b"no picture", "image/png").set_value("my own words")
    app.run()
    assert len(app.error) == 1
    button(app, wordings.WORDS_ALONE).click().run()
    assert analyzer.calls == ["my own words"]
    assert not app.error


def test_an_empty_caption_without_a_picture_gets_a_sentence(app: AppTest, analyzer: FakeAnalyzer) -> None:
    type_words(app, "something")
    app.text_area[0].set_value("   ").run()
    assert wordings.NOTHING_TO_ANALYZE in app.error[0].value
    assert len(app.text_area) == 1
    assert not app.exception
    app.text_area[0].set_value("I despise queues").run()
    assert wordings.HATEFUL in app.title[0].value


def test_blank_words_are_no_meme(app: AppTest, analyzer: FakeAnalyzer) -> None:
    type_words(app, "   ")
    assert wordings.NOTHING_TO_ANALYZE in app.error[0].value
    assert analyzer.calls == []


def test_ten_thousand_characters_stay_usable(app: AppTest, analyzer: FakeAnalyzer) -> None:
    words = ("despise " * 1250)[:10_000].strip()
    type_words(app, words)
    assert not app.exception
    assert not app.error
    said = everything(app)
    assert wordings.MORE_CHARACTERS_NOT_DRAWN_HERE in said
    assert wordings.STRONGEST_OF_1_250_WORDS in said
    assert max(len(element.value) for element in app.html) < 200_000


def test_a_caption_beyond_the_limit_is_told_and_kept(app: AppTest, analyzer: FakeAnalyzer) -> None:
    type_words(app, "a" * 10_001)
    assert "10,000" in app.error[0].value
    assert app.text_area[0].value == "a" * 10_001
    assert analyzer.calls == []


def test_markup_in_a_caption_is_only_text(app: AppTest, analyzer: FakeAnalyzer) -> None:
    nasty = "<script>alert(1)</script> **bold** :red[x] <img src=x onerror=alert(1)> $a$"
    type_words(app, nasty)
    assert not app.exception
    for element in app.html:
        assert "<script" not in element.value
        assert "<img" not in element.value
    for kind in (app.markdown, app.caption, app.error, app.info, app.header):
        for element in kind:
            assert "<script" not in str(element.value)
            assert "**bold**" not in str(element.value)
    assert app.text_area[0].value == nasty


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("text emotions", wordings.THE_EMOTIONS_IN_THE_WORDS_COULD_NOT),
        ("faces", wordings.THE_FACES_COULD_NOT_BE_LOOKED_FOR),
        ("attention", wordings.THE_ATTENTION_COULD_NOT_BE_DRAWN_THIS),
        ("evidence", wordings.WHAT_MOVED_THE_SCORE_COULD_NOT_BE),
    ],
)
def test_a_failed_part_tells_it_in_its_place_and_the_verdict_stays(
    app: AppTest, analyzer: FakeAnalyzer, part: str, said: str
) -> None:
    analyzer.failed = (part,)
    upload(app, drawn())
    assert [element.value.replace("\\", "") for element in app.error] == [said]
    assert wordings.NOT_HATEFUL in app.title[0].value
    assert not app.exception


def test_an_unexpected_failure_is_a_sentence_and_nothing_is_lost(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.error = RuntimeError("inner secret")
    upload(app, drawn())
    assert not app.exception
    assert app.error[0].value.replace("\\", "") == UNEXPECTED.replace(":", ":\u2060")
    assert "inner secret" not in everything(app)
    assert app.text_area[0].value == "when the tests pass"
    analyzer.error = None
    app.run()
    assert wordings.NOT_HATEFUL in app.title[0].value


def test_without_ocr_the_picture_is_judged_all_the_same(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.reader.error = PartUnavailable("The words cannot be read on this machine; type them instead.")
    upload(app, drawn())
    assert "cannot be read on this machine" in app.error[0].value
    assert wordings.NOT_HATEFUL in app.title[0].value


def test_an_ocr_that_breaks_leaves_the_box_to_type_in(app: AppTest, analyzer: FakeAnalyzer) -> None:
    analyzer.reader.error = RuntimeError("inner secret")
    upload(app, drawn())
    assert not app.exception
    assert len(app.error) == 1
    app.text_area[0].set_value("I despise queues").run()
    assert wordings.HATEFUL in app.title[0].value


def test_missing_weights_are_told_and_the_page_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    from components.shared import engine

    def broken() -> None:
        raise BadWeights("weights/hate is missing: check out the repository again.")

    monkeypatch.setattr(engine, "analyzer", broken)
    at = open_app()
    assert not at.exception
    assert "check out the repository again" in at.error[0].value
    assert len(at.file_uploader) == 1


def test_blurred_pictures_stay_blurred_until_clicked(app: AppTest, analyzer: FakeAnalyzer) -> None:
    next(element for element in app.toggle if wordings.BLUR in element.label).set_value(True).run()
    upload(app, drawn())
    alts = [image.alt for element in app.get("image") for image in element.proto.imgs]
    assert set(alts) == {wordings.A_BLURRED_PICTURE}
    button(app, wordings.SHOW_THE_PICTURE).click().run()
    alts = [image.alt for element in app.get("image") for image in element.proto.imgs]
    assert wordings.A_BLURRED_PICTURE not in alts
    assert len(alts) >= 4
    for other in ("pages/compare/compare.py", "pages/batch/batch.py", "pages/analyze/meme.py"):
        app.switch_page(other).run()
        assert next(
            element for element in app.toggle if wordings.BLUR in element.label
        ).value  # who asks for it on one page means all of them


def test_a_picked_word_shows_where_it_looks(app: AppTest, analyzer: FakeAnalyzer) -> None:
    upload(app, drawn())
    app.button_group[0].set_value(3).run()
    assert any("“pass”" in element.value for element in app.html)
    assert len(analyzer.calls) == 1


def test_two_visits_do_not_see_each_other(analyzer: FakeAnalyzer) -> None:
    first = open_app()
    second = open_app()
    type_words(first, "first visitor")
    type_words(second, "second visitor")
    first.run()
    assert first.text_area[0].value == "first visitor"
    assert "second visitor" not in everything(first)
    assert "first visitor" not in everything(second)


def test_the_last_results_are_kept_and_no_more() -> None:
    mine = visit.Visit()
    for number in range(visit.MAX_RESULTS + 3):
        mine.keep(number, None)  # type: ignore[arg-type]
    assert list(mine.results) == list(range(3, visit.MAX_RESULTS + 3))


def test_the_download_is_the_analysis(app: AppTest, analyzer: FakeAnalyzer) -> None:
    type_words(app, "I despise <b>queues</b>")
    analysis = visited(app).results.popitem()[1]
    assert Analysis.from_dict(json.loads(report.as_json(analysis))) == analysis
    names = [element.proto.label for element in app.get("download_button")]
    assert names == [wordings.ANALYSIS_AS_JSON, wordings.REPORT_AS_HTML]


def test_the_kinds_of_file_are_those_that_can_be_opened() -> None:
    from models.io.images import FORMATS

    assert {kind.replace("jpg", "jpeg").upper() for kind in intake.KINDS} == set(FORMATS)
