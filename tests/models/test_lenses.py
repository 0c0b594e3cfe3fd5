"""Lenses and systems: what they read, what they say where there is nothing to read, and that failure stays theirs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from models.analysis import Analysis, Caption, Emotion, Lens, Meme
from models.classifiers.targets import KINDS, TARGETS
from models.errors import BadInput, BadWeights
from models.lenses import NONE, SPECS, names_of, rows_learned_from

if TYPE_CHECKING:
    from models.analyzer import Analyzer

MODELS = tuple(dict.fromkeys(spec.model for spec in SPECS.values()))
PICTURE = Image.new("RGB", (60, 40), (200, 60, 20))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tiny weights with the systems of all lenses."""
    from tests import systems_for_tests

    folder = systems_for_tests.weights_with(tmp_path_factory.mktemp("lenses"), MODELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(folder))
        yield folder


@pytest.fixture
def analyzer(root: Path) -> Analyzer:
    from models.analyzer import Analyzer

    return Analyzer(threads=1)


def test_every_lens_answers_with_probabilities(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(
        Meme(PICTURE, Caption("we love mondays", "override")), explain=False, lenses=list(SPECS)
    )
    assert list(analysis.lenses) == list(SPECS)
    for name, lens in analysis.lenses.items():
        if SPECS[name].verdicts and analysis.verdict.label not in SPECS[name].verdicts:
            assert (lens.status, lens.scores) == ("off", ())
            continue
        assert lens.status == "ok", lens.detail
        assert lens.scores
        assert all(0 <= score.probability <= 1 for score in lens.scores)
        if SPECS[name].target and not SPECS[name].shown:
            assert sum(score.probability for score in lens.scores) == pytest.approx(1)
            assert sum(score.present for score in lens.scores) == 1
    assert {score.label for score in analysis.lenses["sentiment"].scores} == {"negative", "neutral", "positive"}
    assert "lenses" in {stage.name for stage in analysis.stages}
    assert Analysis.from_dict(analysis.to_dict()) == analysis


def test_none_is_read_unasked(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(Meme(None, Caption("we love", "override")), explain=False)
    assert analysis.lenses == {}
    assert "lenses" not in {stage.name for stage in analysis.stages}


def test_stress_needs_words(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(Meme(PICTURE, Caption()), explain=False, lenses=["stress", "humour"])
    assert analysis.lenses["stress"].status == "no_text"
    assert analysis.lenses["humour"].status == "ok"


def test_a_threshold_says_what_is_present(analyzer: Analyzer) -> None:
    for words in ("we love", "we hate mondays", "not good people"):
        analysis = analyzer.analyze(Meme(PICTURE, Caption(words, "override")), explain=False, lenses=list(SPECS))
        for lens in analysis.lenses.values():
            for score in lens.scores:
                assert score.present == (score.probability >= score.threshold)


def test_a_lens_of_many_labels_has_them_all(root: Path, analyzer: Analyzer) -> None:
    words = ["we love mondays", "", "we hate good people"]
    read = analyzer.read_words(words, ["group", "kind"], ["not_hateful", "hateful", "needs_review"])
    assert {score.label for score in read[0]["group"].scores} == set(TARGETS)
    assert {score.label for score in read[2]["kind"].scores} == set(KINDS)
    assert [lenses["group"].status for lenses in read] == ["ok", "no_text", "ok"]
    assert [lenses["kind"].status for lenses in read] == ["off", "no_text", "ok"]
    assert "hateful or needs review" in read[0]["kind"].detail
    scores = read[0]["group"].scores
    assert list(scores) == sorted(scores, key=lambda score: (not score.present, -score.probability))
    for text, lenses in zip(words, read, strict=True):
        alone = analyzer.read_words([text], ["group"], [None])[0]["group"]
        pairs = zip(alone.scores, lenses["group"].scores, strict=True)
        assert all(
            left.label == right.label and abs(left.probability - right.probability) < 1e-3 for left, right in pairs
        )
    assert analyzer.read_words(["we love"], ["kind"], [None])[0]["kind"].status == "off"


def test_names_of_a_lens() -> None:
    present, absent = Emotion("hindus_sikhs", 0.4, 0.3, True), Emotion("women", 0.1, 0.2, False)
    assert names_of(Lens("ok", (present, Emotion("muslims", 0.3, 0.2, True), absent))) == "Hindus and Sikhs; Muslims"
    assert names_of(Lens("ok", (absent,))) == NONE
    assert names_of(Lens("no_text")) == names_of(Lens("off", detail="not now")) == ""
    assert names_of(Lens("failed", detail="It is damaged.")) == "It is damaged."


def test_the_card_tells_what_a_lens_learned_from(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_learned_from(SPECS["group"]) == {}  # an older card
    shutil.copytree(root / "hate_targets", tmp_path / "hate_targets")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    card = tmp_path / "hate_targets" / "config.json"
    positives = {"hate_targets": {"hate-target": {"roma": 53}, "hate-kind": {"threat": 9}}}
    card.write_text(json.dumps({**json.loads(card.read_text()), "positives": positives}))
    assert rows_learned_from(SPECS["group"]) == {"hate_targets": {"roma": 53}}


def test_an_unknown_lens_is_one_sentence(analyzer: Analyzer) -> None:
    with pytest.raises(BadInput, match="Did you mean 'humour'"):
        analyzer.analyze(Meme(None, Caption("we", "override")), lenses=["humor"])


def test_a_damaged_system_leaves_the_rest(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.analyzer import Analyzer

    shutil.copytree(root, tmp_path / "weights")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights" / "mental_health_target" / "graph.onnx").write_bytes(b"broken")
    analysis = Analyzer(threads=1).analyze(
        Meme(PICTURE, Caption("we", "override")), explain=False, lenses=["target", "humour"]
    )
    assert analysis.lenses["target"].status == "failed"
    assert "damaged" in analysis.lenses["target"].detail
    assert analysis.lenses["humour"].status == "ok"
    assert analysis.verdict.label


def test_other_towers_are_refused(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.classifiers.multitask import MultitaskModel
    from models.encoders.mini import MiniEncoder

    shutil.copytree(root, tmp_path / "weights")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    card = tmp_path / "weights" / "memotion_gmu" / "config.json"
    config = json.loads(card.read_text())
    config["inputs"]["text"]["towers"]["mini_words"] = "0" * 64
    card.write_text(json.dumps(config))
    with pytest.raises(BadWeights, match="other towers"):
        MultitaskModel.load("memotion_gmu", MiniEncoder())


def test_a_batch_answers_as_each_alone(root: Path) -> None:
    from models.classifiers.multitask import MultitaskModel, names
    from models.encoders.mini import MiniEncoder

    assert set(MODELS) <= set(names())
    system = MultitaskModel.load("memotion_gmu", MiniEncoder())
    images, texts = [PICTURE, None, PICTURE], ["we love good people", "hate", ""]
    whole = system.logits(images, texts)
    for row in range(3):
        assert np.allclose(whole[:, row : row + 1], system.logits([images[row]], [texts[row]]), atol=1e-4)
