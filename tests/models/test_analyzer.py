"""The whole way from a meme to its analysis, on tiny weights: nothing here asks whether the answer is right."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from models import weights
from models.analysis import Analysis, Caption, Meme, Stage
from models.analyzer import BATCH_SIZE, Analyzer
from models.errors import BadInput, BadWeights, PartUnavailable
from models.explain import attention, evidence, narrative
from models.io.captions import normalize

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

ROOT = Path(__file__).resolve().parents[2]
FIRST = ["picture", "words", "verdict", "text emotions", "faces"]
EXPLAINING = ["attention", "evidence", "explanation"]
Patch = pytest.MonkeyPatch


def meme(text: str = "", image: Image.Image | None = None) -> Meme:
    return Meme(image, Caption(text, "override" if text else "none"), "PNG" if image else None)


def noise(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def astronaut() -> Image.Image:
    return Image.open(ROOT / "assets" / "gallery" / "sources" / "astronaut.webp").convert("RGB")


BOTH, WORDS, PICTURE = meme("we hate mondays", noise()), meme("we love the people"), meme("", noise(1))


def same(first: Analysis, second: Analysis) -> bool:
    return replace(first, stages=()) == replace(second, stages=())


def test_each_stage_is_told_when_it_starts_and_when_it_has_ended(tiny_analyzer: Analyzer) -> None:
    stages: list[Stage] = []
    analysis = tiny_analyzer.analyze(BOTH, on_stage=stages.append)
    assert [stage.name for stage in stages[::2]] == [stage.name for stage in stages[1::2]] == FIRST + EXPLAINING
    assert all(stage.ms is None for stage in stages[::2])
    assert all(stage.ms is not None and stage.ms >= 0 for stage in stages[1::2])
    assert analysis.stages == tuple(stages[1::2])
    assert {stage.name: stage.status for stage in analysis.stages if stage.status != "ok"} == {"faces": "no_face"}


def test_without_the_explanation_nothing_is_explained(tiny_analyzer: Analyzer) -> None:
    analysis = tiny_analyzer.analyze(BOTH, explain=False)
    assert [stage.name for stage in analysis.stages] == FIRST
    assert (analysis.attention.status, analysis.evidence.status, analysis.explanation.text) == ("off", "off", "")
    assert analysis.verdict == tiny_analyzer.analyze(BOTH).verdict


def test_words_only(tiny_analyzer: Analyzer) -> None:
    analysis = tiny_analyzer.analyze(WORDS)
    assert "picture" not in [stage.name for stage in analysis.stages]
    assert (analysis.image, analysis.emotions.faces.status, analysis.attention.status) == (None, "no_image", "no_image")
    assert (analysis.emotions.text.status, len(analysis.emotions.text.scores)) == ("ok", 28)
    assert [word.text for word in analysis.evidence.words] == ["we", "love", "the", "people"]
    assert analysis.evidence.regions == ()
    assert "There is no picture." in analysis.explanation.text


GERMAN = "Der Nachbar backt am Sonntag wieder Kuchen"


def test_words_in_a_language_that_was_not_measured(tiny_analyzer: Analyzer) -> None:
    german = meme(GERMAN, noise())
    analysis = tiny_analyzer.analyze(german)
    assert (analysis.caption.language, analysis.verdict.label) == ("de", "needs_review")
    assert analysis.verdict.decided_by == "language" and "look German" in analysis.verdict.meaning
    assert any(analysis.verdict.meaning in caution for caution in analysis.explanation.cautions)
    assert "not measured on the language" in analysis.explanation.text
    assert analysis.emotions.text.status == "ok" and analysis.evidence.status == "ok"
    ((verdict, _),) = tiny_analyzer.judge([german])
    assert (verdict.label, verdict.meaning) == (analysis.verdict.label, analysis.verdict.meaning)
    english = tiny_analyzer.analyze(BOTH, explain=False)
    assert (english.caption.language, english.verdict.decided_by) == ("en", "probability")
    assert tiny_analyzer.info.languages == ("en",)


def test_picture_only(tiny_analyzer: Analyzer) -> None:
    analysis = tiny_analyzer.analyze(PICTURE)
    assert "words" not in [stage.name for stage in analysis.stages]
    assert (analysis.emotions.text.status, analysis.attention.status) == ("no_text", "no_text")
    assert (analysis.caption.language, analysis.verdict.decided_by) == (None, "probability")
    assert analysis.image is not None
    assert (analysis.image.width, analysis.image.height, analysis.image.format) == (80, 60, "PNG")
    assert (analysis.evidence.words, len(analysis.evidence.regions)) == ((), 16)
    assert "There are no words." in analysis.explanation.text


def test_words_that_cannot_be_seen_are_none(tiny_analyzer: Analyzer) -> None:
    unseen = tiny_analyzer.analyze(Meme(PICTURE.image, Caption("\u200b\u2060", "override")))
    assert unseen.emotions.text.status == "no_text"
    assert unseen.verdict == tiny_analyzer.analyze(PICTURE).verdict


def test_a_face_gets_its_seven_expressions(tiny_analyzer: Analyzer) -> None:
    faces = tiny_analyzer.analyze(meme("", astronaut()), explain=False).emotions.faces
    assert faces.status == "ok"
    (face,) = faces.faces
    assert len(face.expressions) == 7
    assert sum(expression.probability for expression in face.expressions) == pytest.approx(1)


def test_the_evidence_is_about_the_verdict(tiny_analyzer: Analyzer) -> None:
    analysis = tiny_analyzer.analyze(BOTH)
    shapley = analysis.evidence.shapley
    assert shapley is not None
    assert shapley.total == analysis.verdict.logit
    assert shapley.base + shapley.image + shapley.text == pytest.approx(shapley.total)
    assert abs(shapley.interaction) > 1e-6
    without = {"we": "hate mondays", "hate": "we mondays", "mondays": "we hate"}
    for word in analysis.evidence.words:
        (verdict,) = tiny_analyzer.score([meme(without[word.text], BOTH.image)])
        assert word.effect == pytest.approx(analysis.verdict.logit - verdict.logit, abs=1e-4)


def test_the_attention_is_that_of_the_words_shown(tiny_analyzer: Analyzer) -> None:
    drawn = tiny_analyzer.analyze(meme("We h\u200bate ｍｏｎｄａｙｓ!", noise())).attention
    assert [word.text for word in drawn.words] == ["We", "h\u200bate", "ｍｏｎｄａｙｓ"]
    assert np.array(drawn.word_regions).shape == (3, 7, 7)
    assert np.ptp(drawn.regions) > 0


EVASIONS = ("h a t e  love", "not immi grants", "l0ve the p3ople", "lovethepeople", "ǝʇɐɥ ǝldoǝd")


@pytest.mark.parametrize("text", EVASIONS)
def test_what_explains_the_verdict_is_about_the_reading_that_decided(tiny_analyzer: Analyzer, text: str) -> None:
    analysis = tiny_analyzer.analyze(meme(text, noise()))
    reading = analysis.verdict.reading
    said = reading.text if reading is not None and reading.decided else normalize(text).text
    as_read = tiny_analyzer._models.hate.score([BOTH.image], [said])
    assert analysis.verdict.logit == pytest.approx(float(as_read.hate[0]), abs=1e-4)
    assert analysis.evidence.shapley is not None
    assert analysis.evidence.shapley.total == analysis.verdict.logit
    for words in (analysis.attention.words, analysis.evidence.words):
        assert len(words) == len(said.split())
        assert all(text[word.start : word.end] == word.text for word in words)
    assert Analysis.from_dict(json.loads(json.dumps(analysis.to_dict()))) == analysis


def test_scores_and_analyses_decide_for_the_same_reading(tiny_analyzer: Analyzer) -> None:
    memes = [meme(text) for text in (*EVASIONS, "we love mondays")]
    verdicts = tiny_analyzer.score(memes)
    for item, verdict in zip(memes, verdicts, strict=True):
        analysis = tiny_analyzer.analyze(item, explain=False)
        assert verdict.logit == pytest.approx(analysis.verdict.logit, abs=1e-4)
        assert (verdict.reading is None) == (analysis.verdict.reading is None)
    others = [verdict.reading for verdict in verdicts if verdict.reading is not None]
    assert [reading.text for reading in others] == ["not immigrants", "love the people", "love the people"]


@pytest.mark.parametrize(
    ("stage", "breaks"),
    [
        ("text emotions", lambda analyzer: (analyzer._models.text_emotions, "classify")),
        ("faces", lambda analyzer: (analyzer._models.faces, "read")),
        ("attention", lambda _: (attention, "draw")),
        ("evidence", lambda _: (evidence, "measure")),
        ("explanation", lambda _: (narrative, "write")),
    ],
)
@pytest.mark.parametrize(
    "error", [PartUnavailable("It cannot run here: install it."), ZeroDivisionError("secret words")]
)
def test_a_part_that_fails_does_not_take_the_verdict_down(
    tiny_analyzer: Analyzer, monkeypatch: Patch, stage: str, breaks: Callable[[Analyzer], tuple], error: Exception
) -> None:
    whole = tiny_analyzer.analyze(BOTH)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(*breaks(tiny_analyzer), fail)
    stages: list[Stage] = []
    analysis = tiny_analyzer.analyze(BOTH, on_stage=stages.append)
    assert (analysis.verdict, analysis.harm) == (whole.verdict, whole.harm)
    assert [item.status for item in stages if item.name == stage] == ["ok", "failed"]
    assert [item.name for item in analysis.stages if item.status == "failed"] == [stage]
    part = {"text emotions": analysis.emotions.text, "faces": analysis.emotions.faces}.get(stage) or getattr(
        analysis, stage
    )
    sentence = part.cautions[0] if stage == "explanation" else part.detail
    if isinstance(error, PartUnavailable):
        assert sentence == str(error)
    else:
        assert "ZeroDivisionError" in sentence
        assert "secret" not in sentence
    assert Analysis.from_dict(analysis.to_dict()) == analysis


def test_a_verdict_that_fails_is_no_verdict(tiny_analyzer: Analyzer, monkeypatch: Patch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(tiny_analyzer._models.hate, "score_tokens", fail)
    stages: list[Stage] = []
    with pytest.raises(ZeroDivisionError):
        tiny_analyzer.analyze(WORDS, on_stage=stages.append)
    assert (stages[-1].name, stages[-1].status) == ("verdict", "failed")


def test_scoring_many_gives_the_verdicts_of_analyzing_each(tiny_analyzer: Analyzer) -> None:
    some = [BOTH, WORDS, PICTURE, meme("not good " * 9, noise(2)), meme("people")]
    analyses = [tiny_analyzer.analyze(item, explain=False) for item in some]
    many = (some * (BATCH_SIZE // len(some) + 1))[: BATCH_SIZE + 3]
    for row, (verdict, harm) in enumerate(zip(tiny_analyzer.score(many), tiny_analyzer.harm(many), strict=True)):
        expected = analyses[row % len(some)]
        assert verdict.logit == pytest.approx(expected.verdict.logit, abs=1e-4)
        assert (verdict.label, verdict.bands) == (expected.verdict.label, expected.verdict.bands)
        assert harm.probability == pytest.approx(expected.harm.probability, abs=1e-4)
    assert len({round(item.verdict.logit, 4) for item in analyses}) == len(some), (
        "all memes look alike to these weights"
    )
    assert tiny_analyzer.judge(many) == list(zip(tiny_analyzer.score(many), tiny_analyzer.harm(many), strict=True))
    assert tiny_analyzer.score([]) == tiny_analyzer.judge([]) == []


def test_faces_alone_are_those_of_the_analysis(tiny_analyzer: Analyzer) -> None:
    crowd = meme("", astronaut())
    assert tiny_analyzer.faces(crowd) == tiny_analyzer.analyze(crowd, explain=False).emotions.faces
    assert tiny_analyzer.faces(WORDS).status == "no_image"


def test_emotions_of_many_texts_are_those_of_each(tiny_analyzer: Analyzer) -> None:
    texts = ["we love mondays", "", "not good"]
    emotions = tiny_analyzer.text_emotions(texts)
    assert emotions[1].status == "no_text"
    for row in (0, 2):
        alone = tiny_analyzer.analyze(meme(texts[row]), explain=False).emotions.text
        assert {s.label: s.probability for s in alone.scores} == pytest.approx(
            {s.label: s.probability for s in emotions[row].scores}, abs=1e-5
        )


def test_threads_share_one_analyzer(tiny_analyzer: Analyzer) -> None:
    some = [BOTH, WORDS, PICTURE]
    alone = [tiny_analyzer.analyze(item) for item in some]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(tiny_analyzer.analyze, some * 4))
    assert all(same(analysis, alone[number % 3]) for number, analysis in enumerate(together))


@pytest.mark.parametrize("example", [BOTH, WORDS, PICTURE], ids=["both", "words", "picture"])
def test_an_analysis_comes_back_from_its_json(tiny_analyzer: Analyzer, example: Meme) -> None:
    analysis = tiny_analyzer.analyze(example)
    assert Analysis.from_dict(json.loads(json.dumps(analysis.to_dict()))) == analysis


def test_the_picture_given_is_not_painted_on(tiny_analyzer: Analyzer) -> None:
    image = noise(7)
    before = image.tobytes()
    tiny_analyzer.analyze(meme("we hate mondays", image))
    assert image.tobytes() == before


def test_a_long_caption_is_read_as_far_as_it_goes(tiny_analyzer: Analyzer, monkeypatch: Patch) -> None:
    long = "love people " * 300
    analysis = tiny_analyzer.analyze(meme(long.strip()))
    assert "The caption is long" in analysis.explanation.cautions[0]
    assert len(analysis.attention.words) < 300
    assert analysis.evidence.words[-1].end <= analysis.attention.words[-1].end
    assert not any("is long" in caution for caution in tiny_analyzer.analyze(WORDS).explanation.cautions)


def test_what_ran_is_told(tiny_analyzer: Analyzer, shelf: Tiny) -> None:
    info = tiny_analyzer.info
    assert (info.name, info.device) == ("mini", "cpu")
    assert set(info.weights) == {path.name for path in shelf.root.iterdir()}
    assert all(len(identity) == 64 for identity in info.weights.values())
    assert info.parameters == sum(weights.card(path.name).parameters for path in shelf.root.iterdir()) > 10_000


def test_thresholds_are_those_of_the_card(tiny_analyzer: Analyzer) -> None:
    assert (tiny_analyzer.threshold("hate"), tiny_analyzer.threshold("harm")) == (0.5, 0.4)


def test_what_cannot_be_done_is_said(shelf: Tiny, tiny_analyzer: Analyzer) -> None:
    with pytest.raises(BadInput, match="'cuda'"):
        Analyzer(device="cuda")
    with pytest.raises(BadInput, match="'minni'"):
        Analyzer("minni")
    with pytest.raises(BadInput, match="'humor'"):
        tiny_analyzer.analyze(WORDS, lenses=["humor"])


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [("mini_words", "hate_cross_attention was trained on other towers"), ("mini_vocabulary", "trained on other")],
)
def test_parts_that_were_not_trained_together_are_refused(
    tiny: Tiny, tmp_path: Path, monkeypatch: Patch, changed: str, sentence: str
) -> None:
    for folder in tiny.root.iterdir():
        if folder.name != changed:
            (tmp_path / folder.name).symlink_to(folder.resolve())
    shutil.copytree(tiny.root / changed, tmp_path / changed)
    card = json.loads((tmp_path / changed / "config.json").read_text())
    (tmp_path / changed / "config.json").write_text(json.dumps(card | {"kind": "another"}))
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    with pytest.raises(BadWeights, match=sentence):
        Analyzer(threads=1)


def test_without_the_emotion_models_there_is_a_verdict_and_nothing_of_a_meme_is_kept(
    tiny: Tiny, tiny_analyzer: Analyzer, tmp_path: Path, monkeypatch: Patch
) -> None:
    for folder in tiny.root.iterdir():
        if folder.name not in ("text_emotions", "face_expressions"):
            (tmp_path / folder.name).symlink_to(folder.resolve())
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    analyzer = Analyzer(threads=1)
    image = noise(5)
    analysis = analyzer.analyze(meme("we hate mondays", image))
    assert analysis.verdict == tiny_analyzer.analyze(meme("we hate mondays", image)).verdict
    for part, name in ((analysis.emotions.text, "text_emotions"), (analysis.emotions.faces, "face_expressions")):
        assert part.status == "failed"
        assert name in part.detail
    reference = weakref.ref(image)
    del image
    gc.collect()
    assert reference() is None, "an exception that is raised again holds on to the frames it went through"


def test_the_app_never_imports_what_is_heavy() -> None:
    heavy = ["torch", "torchvision", "timm", "transformers", "pandas", "sklearn", "cv2", "onnx", "lightning"]
    code = f"import sys, models.analyzer, models.io.captions; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
