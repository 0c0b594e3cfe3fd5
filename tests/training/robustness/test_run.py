"""The study over targets whose answers are known and over the real tasks on drawn rows; its intervals, and its tables."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from components.evaluate import robustness_study
from models import evaluation_files, weights
from models.errors import BadInput
from models.io.samples import Sample, samples
from models.robustness.pixel_attack import paint, view
from models.weights import Card
from tests import wordings
from tests.conftest import drawn
from training.cli import main
from training.metrics.intervals import wilson_interval
from training.robustness import run as robustness
from training.robustness.base import RobustnessConfig, Target, poisoned_rows, target_or_none, trigger
from training.robustness.run import ResultsCache, run, summary

GREY = Image.new("RGB", (60, 40), (90, 90, 90))
SHIPPED = Path(__file__).parents[3] / "weights"


class Easy:
    """One variant falls to any red pixel, the other to none."""

    folder, what, score, drawn = "easy", "It says no.", "red", "all of them"
    variants = ("weak", "strong")
    scored = 0

    def __init__(self, data: Path, settings: RobustnessConfig, cache: Path) -> None:
        self.rows = settings.rows

    def cards(self, variant: str) -> tuple[Card, ...]:
        return (Card("easy", Path(), {"name": "easy"}, {}),)

    def targets(self, variant: str) -> list[Target]:
        def score(images: Sequence[Image.Image]) -> np.ndarray:
            Easy.scored += len(images)
            if variant == "strong":
                return np.ones(len(images))
            return np.array([0.9 - np.asarray(image)[..., 0].max() / 255 for image in images])

        return [Target(GREY, score)] * self.rows

    def samples(self, variant: str, samples: Sequence[Sample]) -> list[Target | None]:
        return [None, *(Target(sample.open(), self.targets(variant)[0].score) for sample in samples[1:])]

    def poisoned(self, variant: str, fraction: float) -> dict[str, float]:
        return {"share": fraction, "clean_auroc": 0.8 - fraction}


@pytest.fixture
def easy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setitem(robustness.STUDIES, "hate", Easy)
    monkeypatch.setattr(Easy, "scored", 0)
    (tmp_path / "weights" / "easy").mkdir(parents=True)
    (tmp_path / "weights" / "easy" / "config.json").write_text('{"name": "easy"}')
    return argparse.Namespace(data=str(tmp_path), out=str(tmp_path / "out"), rows=4, queries=200)


def test_the_study_writes_what_the_pages_read(tmp_path: Path, easy: argparse.Namespace) -> None:
    report = run("robustness_hate", easy)
    weak, strong = report["attack"]["weak"], report["attack"]["strong"]
    assert [line["pixels"] for line in weak] == [1, 3, 5]
    assert [line["success_rate"] for line in weak] == [1, 1, 1]
    assert [line["random_rate"] for line in weak] == [1, 1, 1]  # the first candidates hold a red pixel
    assert [line["success_rate"] for line in strong] == [0, 0, 0]
    assert strong[0]["success_rate_high"] == pytest.approx(wilson_interval(0, 4)[1])
    # What does not move at all is given up after the generation with which half of the tries are spent.
    assert strong[0]["given_up"] == 4 and strong[0]["median_queries"] == 101 and strong[0]["median_change"] == 0
    assert weak[0]["given_up"] == 0 and weak[0]["median_change"] < -0.5
    assert len(list((tmp_path / "out" / "robustness_hate" / "weak-1").glob("*-after.png"))) == 3
    assert json.loads((tmp_path / "weights" / "easy" / "robustness.json").read_text()) == report

    [study] = robustness_study.studies(tmp_path / "weights")
    rows = robustness_study.attack_rows(study)
    assert [(row[wordings.VARIANT], row[wordings.PIXELS], row[wordings.FOOLED]) for row in rows][::3] == [
        ("weak", 1, 1.0),
        ("strong", 1, 0.0),
    ]
    assert rows[3][wordings.N_95_PERCENT_INTERVAL] == "0% to 49%"
    assert robustness_study.poisoning_rows(study)[3] == {
        wordings.VARIANT: "weak",
        wordings.POISONED: 0.1,
        wordings.AUROC_CLEAN: "0.700",
    }
    assert robustness_study.outdated(study) == []


def test_example_pairs_come_from_our_own_samples(tmp_path: Path, easy: argparse.Namespace) -> None:
    report = run("robustness_hate", easy)
    ours = samples()
    weak, strong = report["examples"]["weak"], report["examples"]["strong"]
    assert [line["pixels"] for line in weak] == [1, 3, 5]
    assert all(line["file"] in {sample.file.name for sample in ours[1:]} for line in (*weak, *strong))
    assert all(line["samples"] == len(ours) - 1 for line in (*weak, *strong))
    assert strong[0]["changed"] == [] and not strong[0]["fooled"] and strong[0]["samples_fooled"] == 0
    [study] = robustness_study.studies(tmp_path / "weights")
    for example in robustness_study.examples(study):
        before = view(example["sample"].open())
        after = paint(before, np.array(example["changed"], float))
        different = (np.asarray(before) != np.asarray(after)).any(-1).sum()
        assert different == len(example["changed"]) <= example["pixels"]


def test_an_example_pair_is_drawn(tmp_path: Path, easy: argparse.Namespace) -> None:
    run("robustness_hate", easy)

    def page(root) -> None:  # type: ignore[no-untyped-def]  # Streamlit runs its text alone
        from components.evaluate import robustness_study

        robustness_study.draw(root)

    app = AppTest.from_function(page, args=(tmp_path / "weights",), default_timeout=60).run()
    assert not app.exception
    assert any(wordings.THE_ATTACK_WINS in caption.value for caption in app.caption)
    variant, pixels = app.button_group[0], app.button_group[1]
    assert [*variant.options] == ["weak", "strong"] and [*pixels.options] == ["1", "3", "5"]
    app.button_group[0].set_value("strong").run()
    assert any(wordings.THE_ANSWER_STANDS in caption.value for caption in app.caption)


def test_what_is_answered_wrong_is_no_target() -> None:
    assert target_or_none(GREY, lambda images: np.full(len(images), -0.1)) is None
    assert target_or_none(GREY, lambda images: np.zeros(len(images))) is not None


def test_a_run_goes_on_where_it_was_killed(tmp_path: Path, easy: argparse.Namespace) -> None:
    first = run("robustness_hate", easy)
    scored = Easy.scored
    assert run("robustness_hate", easy) == first
    assert Easy.scored == scored  # nothing was scored again
    stored = tmp_path / "out" / "robustness_hate" / "weak.jsonl"
    lines = stored.read_text().splitlines(keepends=True)
    stored.write_text("".join(lines[:3]) + lines[3][:20])  # killed within a line
    assert run("robustness_hate", easy) == first
    assert Easy.scored > scored
    scored = Easy.scored
    easy.rows = 5  # more rows: the others stay
    run("robustness_hate", easy)
    assert 0 < Easy.scored - scored <= 3 * (26 + 101)
    easy.rows, easy.queries, scored = 4, 100, Easy.scored
    run("robustness_hate", easy)  # other settings: all anew
    assert Easy.scored - scored >= 12 * 26


def test_one_variant_again_leaves_the_others(tmp_path: Path, easy: argparse.Namespace) -> None:
    before = run("robustness_hate", easy)
    easy.rows, easy.variant = 2, ["strong"]
    after = run("robustness_hate", easy)
    assert after["attack"]["weak"] == before["attack"]["weak"]
    assert [line["rows"] for line in after["attack"]["strong"]] == [2, 2, 2]
    assert list(after["attack"]) == ["weak", "strong"]
    easy.variant = ["stronk"]
    with pytest.raises(BadInput, match="no variant 'stronk': there are 'weak', 'strong'"):
        run("robustness_hate", easy)


def test_what_another_run_wrote_meanwhile_stays(
    tmp_path: Path, easy: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = Easy.poisoned

    def interrupted(self: Easy, variant: str, fraction: float) -> dict[str, float]:
        if variant == "strong":
            run("robustness_hate", argparse.Namespace(**vars(easy) | {"variant": ["weak"]}))
        return poisoned(self, variant, fraction)

    monkeypatch.setattr(Easy, "poisoned", interrupted)
    easy.variant = ["strong"]
    assert list(run("robustness_hate", easy)["attack"]) == ["weak", "strong"]


def test_figures_of_earlier_weights_are_told(tmp_path: Path, easy: argparse.Namespace) -> None:
    run("robustness_hate", easy)
    (tmp_path / "weights" / "easy" / "config.json").write_text('{"name": "easy", "trained": "anew"}')
    [study] = robustness_study.studies(tmp_path / "weights")
    assert robustness_study.outdated(study) == ["weak", "strong"]


def pictures(count: int) -> list[bytes]:
    rng = np.random.default_rng(count)
    return [drawn(colour=tuple(rng.integers(0, 255, 3).tolist())) for _ in range(count)]


ROWS = {
    "flickr8k": lambda count: {"captions": [[f"thing {row} of {side}" for side in range(5)] for row in range(count)]},
    "oasis": lambda count: {
        **{name: [1 + 6 * row / count for row in range(count)] for name in ("valence_mean", "arousal_mean")},
        **{name: [1.0] * count for name in ("valence_sd", "arousal_sd")},
        **{name: ["x"] * count for name in ("theme", "category", "picture_credit")},
    },
    "religious_hateful": lambda count: {
        "text": [f"words {row}" if row % 3 else "" for row in range(count)],
        "label": [row % 2 for row in range(count)],
        "group": [str(row) for row in range(count)],
    },
}
TASKS = {
    "flickr8k": ("flickr8k", "joint_picture", "clean_r10"),
    "oasis": ("oasis", "picture_emotions", "clean_pearson"),
    "hate": ("religious_hateful", "hate_cross_attention", "clean_auroc"),
}


@pytest.mark.parametrize("task", TASKS)
def test_the_real_tasks_on_drawn_rows(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, folder, clean = TASKS[task]
    for split, count in (("train", 20), ("validation", 12)):
        columns = {"id": [str(row) for row in range(count)], "image": pictures(count), **ROWS[name](count)}
        pq.write_table(pa.table(columns), tmp_path / f"{name}.{split}.parquet")
    shelf = tmp_path / "weights"
    shelf.mkdir()
    for shipped in SHIPPED.iterdir():
        if shipped.name != folder:
            (shelf / shipped.name).symlink_to(shipped)
    (shelf / folder).mkdir()  # the figures go here, not into the repository
    for file in (SHIPPED / folder).iterdir():
        if file.name != evaluation_files.ROBUSTNESS:
            (shelf / folder / file.name).symlink_to(file)
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(shelf))
    small = RobustnessConfig(
        task=task, rows=2, pixels=(1,), queries=10, candidates=5, seed=7, give_up=0.1, train_rows=20, epochs=1,
        shares=(0.0, 0.1), trigger=5, moved=0.5, threads=1,
    )  # fmt: skip
    monkeypatch.setattr(robustness, "load_config", lambda *_: small)
    words = [
        "robustness",
        f"robustness_{task}",
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
        "--threads",
        "1",
    ]
    assert main(words) == 0
    report = json.loads((shelf / folder / evaluation_files.ROBUSTNESS).read_text())
    kind = robustness.STUDIES[task]
    assert tuple(report["attack"]) == tuple(report["poisoning"]) == kind.variants  # type: ignore[attr-defined]
    for variant, lines in report["attack"].items():
        assert lines[0]["rows"] <= 2 and not lines[0]["median_change"] > 0, variant  # NaN where no row was right
    for variant, lines in report["poisoning"].items():
        assert [line["share"] for line in lines] == [0.0, 0.1], variant
        for line in lines:
            assert line[f"{clean}_low"] <= line[clean] <= line[f"{clean}_high"], variant
    [study] = [study for study in robustness_study.studies(shelf) if study["folder"] == folder]
    assert robustness_study.outdated(study) == []
    assert study["weights"] == {
        variant: {name: weights.card(name).identity for name in made} for variant, made in report["weights"].items()
    }


def test_files_that_are_no_study_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "robustness.json").write_text("{broken")
    assert robustness_study.studies(tmp_path) == []


def test_wilsons_interval() -> None:
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)


def test_a_trigger_is_the_same_few_pixels_in_every_picture() -> None:
    bright = Image.new("RGB", (300, 300), (200, 200, 200))
    marks = []
    for image in (GREY, bright):
        marked = np.asarray(trigger(image, 5))
        changed = (marked == (255, 0, 255)).all(-1)
        assert 1 <= changed.sum() <= 5
        marks.append(changed)
    assert np.array_equal(*marks)


def test_rows_poisoned_at_a_smaller_share_are_among_those_at_a_larger_one() -> None:
    few, many = (set(poisoned_rows(1000, fraction, 7).tolist()) for fraction in (0.01, 0.1))
    assert len(few) == 10 and len(many) == 100
    assert few < many


def test_summaries_of_nothing_are_no_number() -> None:
    assert np.isnan(summary([], 25)["success_rate"])


def test_findings_under_other_settings_are_thrown_away(tmp_path: Path) -> None:
    file = tmp_path / "found.jsonl"
    assert ResultsCache(file, {"seed": 1}).get("a", lambda: {"x": 1}) == {"x": 1}
    assert ResultsCache(file, {"seed": 1}).get("a", lambda: {"x": 2}) == {"x": 1}
    assert ResultsCache(file, {"seed": 2}).get("a", lambda: {"x": 3}) == {"x": 3}
