"""What a run's figures stand on: rules from other rows, and a task of several heads as one figure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.multitask_for_tests import drawn, scheduled, small
from training.multitask import data as multitask_data
from training.multitask import evaluation, model, train


def held_out(
    name: str, cache: Path
) -> tuple[model.ModelBuilder, multitask_data.MultitaskData, evaluation.CrossValResult]:
    """A model with random logits in the place of a network's on the rows of its one fold."""
    made = model.build(small(name), cache)
    data = multitask_data.load(made, None, rows=drawn("dreaddit", 60))
    rows = data.training
    logits = np.random.default_rng(3).normal(size=(len(rows), sum(head.logits for head in made.heads)))
    return made, data, evaluation.CrossValResult([], [], rows, np.zeros(len(rows), int), logits)


def test_with_one_fold_no_row_decides_its_own_rule(shelf: Path, tmp_path: Path) -> None:
    made, data, trained = held_out("mental_health_stress", tmp_path)
    assert made.config.schedule.folds == 1
    before = evaluation.out_of_fold(made, data, trained)
    mine = multitask_data.fifths(data, trained.rows, made.config.schedule.seed) == 0
    data.prepared.target[trained.rows[mine], 0] = 1  # all of these rows stressed
    after = evaluation.out_of_fold(made, data, trained)
    assert (before[0].y_true != after[0].y_true).any()
    assert np.array_equal(before[0].y_pred[mine, 0], after[0].y_pred[mine, 0])
    assert not np.array_equal(before[0].y_pred[~mine, 0], after[0].y_pred[~mine, 0])


def test_near_copies_stand_in_one_fifth(shelf: Path, tmp_path: Path) -> None:
    rows = [replace(row, group=f"group {number // 3}") for number, row in enumerate(drawn("dreaddit", 60))]
    data = multitask_data.load(model.build(small("mental_health_stress"), tmp_path), None, rows=rows)
    fifth_of = multitask_data.fifths(data, data.training, 7)
    assert set(fifth_of) == set(range(5))
    assert all(len(set(fifth_of[start : start + 3])) == 1 for start in range(0, 60, 3))


def test_the_intensities_are_one_figure_over_all_four(shelf: Path, tmp_path: Path) -> None:
    config = scheduled(small("memotion_gmu"), epochs=1)
    options = train.RunOptions(ship=False)
    figures = train.run(config, None, tmp_path / "run", options, rows=drawn("memotion"))
    aspects = [figures[f"memotion-{name}, out of fold"] for name in ("humour", "sarcasm", "offence", "motivation")]
    whole = figures["memotion-intensity, out of fold"]
    assert len({metrics["rows"] for metrics in aspects}) == 1  # every drawn row answers all four
    assert np.isclose(whole["macro_f1"], np.mean([metrics["macro_f1"] for metrics in aspects]))
    assert "memotion-sentiment, out of fold" in figures and evaluation.metrics_of(config, []) == {}
