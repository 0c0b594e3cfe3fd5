"""Trained systems under the API's form: asked by the name of their folder, beside the analyzer's own answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from models.analysis import Caption, Meme
from models.io.flat_row import Row
from serving import systems, trained
from serving.batch.items import Item
from serving.batch.judge import Options, judged
from serving.work import Asked

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from tests.weights_for_tests import Tiny

pytest.importorskip(trained.MODULE, reason="the further systems are not in this tree")
BOTH_SIDES, WORDS_ALONE = "memotion_gmu", "mental_health_stress"
BOTH = Meme(Image.new("RGB", (60, 40), (200, 60, 20)), Caption("we love mondays", "override"))
SILENT = Meme(BOTH.image, Caption())


@pytest.fixture(scope="module")
def analyzer(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analyzer]:
    """Tiny weights with two systems beside them, and a third folder that is damaged."""
    from models.analyzer import Analyzer

    folder = tmp_path_factory.mktemp("systems") / "weights"
    folder.mkdir()
    for one in tiny.root.iterdir():
        (folder / one.name).symlink_to(one)
    mini: Any = import_module("training.backbones.mini")
    write: Any = import_module("tests.systems_for_tests").write
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(folder))
        mini.shipped.cache_clear()
        for name in (BOTH_SIDES, WORDS_ALONE):
            write(name, folder.parent / "cache")
        shutil.copytree(folder / WORDS_ALONE, folder / "damaged")
        (folder / "damaged" / "graph.onnx").write_bytes(b"no graph")
        yield Analyzer(threads=1)
    mini.shipped.cache_clear()


def test_each_is_listed_and_a_damaged_one_takes_none_with_it(analyzer: Analyzer) -> None:
    found = systems.registry(analyzer)
    assert {"hate", "harm", BOTH_SIDES, WORDS_ALONE} <= set(found)
    assert "damaged" not in found
    assert found[BOTH_SIDES].reads == "picture, words"
    assert any(label.startswith("sentiment: ") for label in found[BOTH_SIDES].labels)


def test_its_answers_are_the_systems_own(analyzer: Analyzer) -> None:
    loaded: Any = import_module(trained.MODULE).TrainedSystem.load(BOTH_SIDES, analyzer.encoder)
    own = loaded.answers(loaded.logits([BOTH.image], [BOTH.caption.text]))[0]
    (told,) = systems.registry(analyzer)[BOTH_SIDES].predict([BOTH])
    assert told.status == "ok" and told.scores == ()
    assert [(one.task, one.question, one.category) for one in told.answers] == [
        (one.task, one.question, one.given) for one in own
    ]
    for one, other in zip(told.answers, own, strict=True):
        assert {score.label: score.probability for score in one.scores} == pytest.approx(other.probabilities, abs=1e-5)
        assert [score.label for score in one.scores if score.present] == [one.category]
        assert f"{one.question}: {one.category}" in told.category


def test_a_meme_without_what_it_reads_says_so_in_its_place(analyzer: Analyzer) -> None:
    silent, spoken = systems.registry(analyzer)[WORDS_ALONE].predict([SILENT, BOTH])
    assert (silent.status, silent.category) == ("no_text", "")
    assert spoken.status == "ok" and spoken.category
    for one in spoken.answers:
        assert one.scores[0].probability >= one.scores[-1].probability


def test_a_batch_has_a_column_for_it(analyzer: Analyzer) -> None:
    items = [Item("a", Asked(caption="we love mondays")), Item("b", Asked(caption=""))]
    rows: list[Row] = [row for row, _ in judged(items, analyzer, Options(systems=(WORDS_ALONE,)))]
    assert rows[0].flat()[WORDS_ALONE] == systems.registry(analyzer)[WORDS_ALONE].predict([BOTH])[0].category
    assert rows[1].status == "error"
