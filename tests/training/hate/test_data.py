"""Folds, draws and modality dropout on features made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.config import read as read_recipe
from training.engine import curves
from training.features import tokens
from training.hate import train
from training.hate.data import HARM, HATE, Data, Rows, folds
from training.hate.train import Draw, Recipe, _drop_sides, predict

GROUPS = [np.array(list("aabbccddeeffgghhii")), np.array([f"meme {row // 3}" for row in range(60)])]


def recipe(**changes: object) -> Recipe:
    return Recipe(**(read_recipe("hate_cross_attention") | changes))


def rows(count: int, *, picture: bool, seed: int, text: int = 20) -> Rows:
    rng = np.random.default_rng(seed)
    seen = rng.integers(6, 20, count) if picture else np.full(count, -1)
    labels = np.arange(count) % 2
    return Rows(rng.integers(0, text, count), seen, labels, np.arange(count) // 2)


@pytest.fixture
def data() -> Data:
    """Texts of one to three pieces and pictures, whose tokens hold their own number; pictures 0-5 are photographs."""
    lengths = np.arange(20) % 3 + 1
    texts = np.repeat(np.arange(20), lengths)[:, None] * np.ones(768)
    pictures = np.arange(20)[:, None, None] * np.ones((49, 1280))
    return Data(
        tokens.TextTokens(texts.astype(np.float16), np.concatenate([[0], np.cumsum(lengths)])),
        tokens.ImageTokens(pictures.astype(np.float16)),
        {
            "sentences": rows(40, picture=False, seed=0),
            "counterfactuals": rows(30, picture=False, seed=1),
            "religious_hateful": rows(24, picture=True, seed=2),
            "harmeme": rows(36, picture=True, seed=3),
        },
        np.arange(6),
    )


def test_rows_of_a_group_share_a_fold_and_every_fold_has_some() -> None:
    found = folds(GROUPS, 5, seed=7)
    assert [len(part) for part in found] == [18, 60]
    for group, part in zip(GROUPS, found, strict=True):
        assert all(len({part[row] for row in np.flatnonzero(group == name)}) == 1 for name in set(group))
        assert set(part) == set(range(5))
        sizes = [len({group[row] for row in range(len(group)) if part[row] == fold}) for fold in range(5)]
        assert max(sizes) - min(sizes) <= 1


def test_folds_are_drawn_by_the_seed() -> None:
    assert folds(GROUPS, 3, seed=1) == folds(GROUPS, 3, seed=1)
    assert folds(GROUPS, 3, seed=1) != folds(GROUPS, 3, seed=2)


def test_a_side_is_dropped_as_often_as_asked_and_never_both() -> None:
    count = 6000
    some = Rows(np.where(np.arange(count) % 10, 5, -1), np.full(count, 3), np.zeros(count), np.zeros(count))
    found = _drop_sides(some, 0.2, np.random.default_rng(0))
    lost_picture, lost_text = found.picture < 0, (found.text < 0) & (some.text >= 0)
    assert not (found.picture[found.text < 0] < 0).any()
    assert lost_picture[some.text >= 0].mean() == pytest.approx(0.2, abs=0.02)
    assert lost_text[some.text >= 0].mean() == pytest.approx(0.2, abs=0.02)


def test_each_step_draws_what_the_recipe_asks_for(data: Data) -> None:
    wanted = recipe(steps=5)
    batches = list(Draw(data, data.rows, wanted, 1))
    assert len(batches) == 5
    for batch in batches:
        assert {name: len(part[4]) for name, part in batch.items()} == wanted.rows
        assert {name for name, part in batch.items() if part[5] == HARM} == {"harmeme"}
        assert not batch["sentences"][1].any()
        assert batch["beside"][1].all()
        assert batch["beside"][3].any(1).all()
        assert not batch["photographs"][3].any()
        assert batch["photographs"][4].sum() == 0


def test_a_photograph_stands_beside_hate_and_beside_other_words(data: Data) -> None:
    for batch in Draw(data, data.rows, recipe(steps=5), 1):
        image, _, _, _, label, _ = batch["beside"]
        pairs = list(zip(image[:, 0, 0].tolist(), label.tolist(), strict=True))
        assert {number for number, _ in pairs} <= set(range(6))
        for number in {number for number, _ in pairs}:
            mine = [label for other, label in pairs if other == number]
            assert sum(mine) * 2 == len(mine)


def test_two_draws_with_one_seed_are_the_same(data: Data) -> None:
    one, other = (next(iter(Draw(data, data.rows, recipe(steps=1), 4))) for _ in range(2))
    for name in one:
        for left, right in zip(one[name][:5], other[name][:5], strict=True):
            assert torch.equal(left, right)


def test_predicting_does_not_depend_on_the_batch_and_leaves_the_mode_alone(data: Data) -> None:
    torch.manual_seed(0)
    net = CrossAttention(CrossAttentionSettings(width=12, heads=2)).train()
    some = data.rows["religious_hateful"]
    found = predict(net, data, some)
    assert (found.shape, found.dtype) == ((24, 2), np.float32)
    np.testing.assert_allclose(predict(net, data, some, batch=5), found, atol=2e-2)  # bfloat16
    assert net.training
    assert predict(net, data, some.take(np.arange(0))).shape == (0, 2)


def test_folds_are_trained_and_answer_for_the_rows_they_did_not_see(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = CrossAttentionSettings(width=12, heads=2)
    monkeypatch.setattr(train, "CrossAttentionSettings", lambda: small)
    asked = recipe(folds=2, steps=2, check_every=1, warmup=1)
    nets, out_of_fold = train.train_folds(data, asked, tmp_path, resume=False)
    assert len(nets) == 2
    assert {name: len(logits) for name, logits in out_of_fold.items()} == {"religious_hateful": 24, "harmeme": 36}
    parts = folds([data.rows[name].group for name in out_of_fold], 2, asked.seed)
    for (name, logits), part in zip(out_of_fold.items(), parts, strict=True):
        for fold, net in enumerate(nets):
            unseen = np.flatnonzero(np.asarray(part) == fold)
            column = HARM if name == "harmeme" else HATE
            expected = predict(net, data, data.rows[name].take(unseen))[:, column]
            np.testing.assert_allclose(logits[unseen], expected, atol=1e-6)
    checks = curves.by_check(tmp_path / "fold0" / "metrics.csv", "auroc")
    assert [point["step"] for point in checks] == [1, 2]
    assert all({"auroc", "auroc_harmeme", "auroc_religious_hateful"} <= set(point) for point in checks)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold*.pt")}
    again, _ = train.train_folds(data, asked, tmp_path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold*.pt")} == kept, "trained again"
    assert torch.equal(again[0].position, nets[0].position)
    assert not torch.equal(nets[0].position, nets[1].position)


def test_rows_are_taken_by_their_place() -> None:
    some = rows(10, picture=True, seed=5).take(np.array([7, 2, 2]))
    assert some.label.tolist() == [1, 0, 0]
    assert some.group.tolist() == [3, 1, 1]
    assert len(some) == 3
