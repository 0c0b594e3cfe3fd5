"""Multitask models as predictors: chosen by the name of their folder, beside the analyzer's own answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from models import weights
from models.analysis import Caption, Meme
from models.classifiers.multitask import MultitaskModel
from models.classifiers.targets import KINDS, TARGETS
from models.io.flat_row import Row
from models.profiles import registry as profiles
from serving import predictors
from serving.batch.fingerprint import models_digest
from serving.batch.inputs import Item
from serving.batch.judge import Options, judge
from serving.work import MemeInput

if TYPE_CHECKING:
    from models.analyzer import Analyzer

BOTH_MODALITIES, TEXT_ONLY = "memotion_gmu", "mental_health_stress"
GROUPS = "hate_targets"
BOTH = Meme(Image.new("RGB", (60, 40), (200, 60, 20)), Caption("we love mondays", "override"))
NO_TEXT = Meme(BOTH.image, Caption())


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyzer]:
    """Tiny weights with two multitask models beside them, and a third folder that is damaged."""
    from models.analyzer import Analyzer
    from tests import systems_for_tests

    folder = systems_for_tests.weights_with(tmp_path_factory.mktemp("multitask"), (BOTH_MODALITIES, TEXT_ONLY, GROUPS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(folder))
        shutil.copytree(folder / TEXT_ONLY, folder / "damaged")
        (folder / "damaged" / "graph.onnx").write_bytes(b"no graph")
        yield Analyzer(threads=1)


def test_each_is_listed_and_a_damaged_one_takes_none_with_it(analyzer: Analyzer) -> None:
    known = predictors.registry(analyzer)
    assert {"hate", "harm", BOTH_MODALITIES, TEXT_ONLY} <= set(known)
    assert "damaged" not in known
    assert known[BOTH_MODALITIES].reads == "picture, words"
    assert any(label.startswith("sentiment: ") for label in known[BOTH_MODALITIES].labels)


def test_a_damaged_one_is_logged_once_and_hashed_once_until_it_is_mended(
    analyzer: Analyzer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = weights.root() / "damaged"
    hashed: list[str] = []
    card = weights.card
    monkeypatch.setattr(weights, "card", lambda name: (hashed.append(name), card(name))[1])
    (folder / "graph.onnx").write_bytes(b"another")
    for _ in range(3):
        assert "damaged" not in predictors.registry(analyzer)
    assert hashed.count("damaged") == 1
    assert [record.getMessage() for record in caplog.records] == [
        "weights/damaged is left out: it is damaged (BadWeights)"
    ]
    shutil.copy(folder.with_name(TEXT_ONLY) / "graph.onnx", folder / "graph.onnx")
    assert "damaged" in predictors.registry(analyzer)
    (folder / "graph.onnx").write_bytes(b"no graph")


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_folder_without_a_readable_card_is_logged_once(
    analyzer: Analyzer, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    folder = weights.root() / f"unreadable{len(text)}"
    folder.mkdir()
    (folder / "config.json").write_text(text)
    for _ in range(3):
        assert BOTH_MODALITIES in predictors.registry(analyzer)
    (logged,) = [record.getMessage() for record in caplog.records if folder.name in record.getMessage()]
    assert "config.json is damaged" in logged
    shutil.rmtree(folder)


def test_its_answers_are_the_models_own(analyzer: Analyzer) -> None:
    model = MultitaskModel.load(BOTH_MODALITIES, analyzer.encoder)
    expected = model.answers(model.logits([BOTH.image], [BOTH.caption.text]))[0]
    (prediction,) = predictors.registry(analyzer)[BOTH_MODALITIES].predict([BOTH])
    assert prediction.status == "ok" and prediction.scores == ()
    assert [(answer.task, answer.question, answer.category) for answer in prediction.answers] == [
        (answer.task, answer.target, answer.predicted) for answer in expected
    ]
    for answer, reference in zip(prediction.answers, expected, strict=True):
        probs = {score.label: score.probability for score in answer.scores}
        assert probs == pytest.approx(reference.probabilities, abs=1e-5)
        assert [score.label for score in answer.scores if score.present] == [answer.category]
        assert f"{answer.question}: {answer.category}" in prediction.category


def test_a_meme_without_what_it_reads_says_so_in_its_place(analyzer: Analyzer) -> None:
    silent, spoken = predictors.registry(analyzer)[TEXT_ONLY].predict([NO_TEXT, BOTH])
    assert (silent.status, silent.category) == ("no_text", "")
    assert spoken.status == "ok" and spoken.category
    for answer in spoken.answers:
        assert answer.scores[0].probability >= answer.scores[-1].probability


def test_a_batch_has_a_column_for_it(analyzer: Analyzer) -> None:
    items = [Item("a", MemeInput(caption="we love mondays")), Item("b", MemeInput(caption=""))]
    rows: list[Row] = [row for row, _ in judge(items, analyzer, Options(predictors=(TEXT_ONLY,)))]
    assert rows[0].flat()[TEXT_ONLY] == predictors.registry(analyzer)[TEXT_ONLY].predict([BOTH])[0].category
    assert rows[1].status == "error"


def test_a_batch_has_columns_for_groups_and_kinds(analyzer: Analyzer, monkeypatch: pytest.MonkeyPatch) -> None:
    known = predictors.registry(analyzer)
    assert known["group"].labels == TARGETS and known["kind"].labels == KINDS
    words = ["we love mondays", "we hate good people"]
    memes = [Meme(None, Caption(text, "override")) for text in words]
    items = [Item(text, MemeInput(caption=text)) for text in words]
    judged = analyzer.judge(memes)
    for label in ("needs_review", "not_hateful"):
        verdicts = [(replace(verdict, label=label), harm) for verdict, harm in judged]
        monkeypatch.setattr(analyzer, "judge", lambda _, verdicts=verdicts: verdicts)
        read: list[Row] = [row for row, _ in judge(items, analyzer, Options(predictors=("kind", "group")))]
        for name in ("group", "kind"):
            categories = [prediction.category for prediction in known[name].predict(memes)]
            assert [row.flat()[name] for row in read] == categories
        assert [bool(row.flat()["kind"]) for row in read] == [label == "needs_review"] * 2
        assert all(row.flat()["group"] for row in read)


def test_without_their_model_there_are_no_groups(
    analyzer: Analyzer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    known = predictors.registry(analyzer)
    assert "group" not in known and "hate" in known


def test_the_models_of_chosen_lenses_count_for_a_batch(analyzer: Analyzer) -> None:
    profile = profiles.select("mini").profile
    without, chosen = (
        models_digest(profile, Options(ocr=False, predictors=names)) for names in ((), ("group", "kind"))
    )
    assert chosen == {**without, GROUPS: weights.card(GROUPS).identity}
