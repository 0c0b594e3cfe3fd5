"""The study over targets whose answers are known, its intervals, and the tables that pages draw of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components import robust_study
from training import robustness, robustness_tasks
from training.robustness import Target, run, trigger, wilson

GREY = Image.new("RGB", (60, 40), (90, 90, 90))


class Easy:
    """One variant falls to any red pixel, the other to none."""

    folder, what, variants = "easy", "It says no.", ("weak", "strong")

    def __init__(self, data: Path, settings: dict, cache: Path) -> None:
        self.rows = settings["rows"]

    def targets(self, variant: str) -> list[Target]:
        def score(images: Sequence[Image.Image]) -> np.ndarray:
            if variant == "strong":
                return np.ones(len(images))
            return np.array([0.9 - np.asarray(image)[..., 0].max() / 255 for image in images])

        return [Target(GREY, score)] * self.rows

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        return {"share": share, "clean_auroc": 0.8 - share}


def test_the_study_writes_what_the_pages_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setitem(robustness_tasks.TASKS, "hate", Easy)
    (tmp_path / "weights" / "easy").mkdir(parents=True)
    args = argparse.Namespace(data=str(tmp_path), out=str(tmp_path / "out"), rows=4, queries=100)
    report = run("robustness_hate", args)
    weak, strong = report["attack"]["weak"], report["attack"]["strong"]
    assert [line["pixels"] for line in weak] == [1, 3, 5]
    assert [line["success_rate"] for line in weak] == [1, 1, 1]
    assert [line["success_rate"] for line in strong] == [0, 0, 0]
    assert strong[0]["success_rate_high"] == pytest.approx(wilson(0, 4)[1])
    assert strong[0]["median_queries"] == 101 and strong[0]["median_change"] == 0
    assert weak[0]["median_change"] < -0.5
    assert len(list((tmp_path / "out" / "robustness_hate" / "weak-1").glob("*-after.png"))) == 3
    assert json.loads((tmp_path / "weights" / "easy" / "robustness.json").read_text()) == report

    [study] = robust_study.studies(tmp_path / "weights")
    rows = robust_study.attack_rows(study)
    assert [(row["Variant"], row["Pixels"], row["Fooled"]) for row in rows][::3] == [
        ("weak", 1, 1.0),
        ("strong", 1, 0.0),
    ]
    assert rows[3]["95% interval"] == "0% to 49%"
    assert robust_study.poisoning_rows(study)[3] == {"Variant": "weak", "Poisoned": 0.1, "AUROC, clean": 0.8 - 0.1}


def test_files_that_are_no_study_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "robustness.json").write_text("{broken")
    assert robust_study.studies(tmp_path) == []


def test_wilsons_interval() -> None:
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


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
    few, many = (set(robustness_tasks._chosen(1000, share, 7).tolist()) for share in (0.01, 0.1))
    assert len(few) == 10 and len(many) == 100
    assert few < many


def test_summaries_of_nothing_are_no_number() -> None:
    assert np.isnan(robustness.summary([])["success_rate"])
