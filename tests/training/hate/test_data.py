"""Folds, batches and modality dropout on tokens made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.config import load_config
from training.engine.trainer import curve_by_check
from training.features import tokens
from training.hate import data as hate_rows
from training.hate import train
from training.hate.config import HEADS, MEME_SETS, HateConfig
from training.hate.data import Data, Rows, folds, head_of
from training.hate.lit_module import predict
from training.hate.train import TrainingBatches

CONFIG = load_config("hate_cross_attention", HateConfig)


def rows(count: int, *, picture: bool, seed: int, text: int = 20) -> Rows:
    rng = np.random.default_rng(seed)
    pictures = rng.integers(6, 20, count) if picture else np.full(count, -1)
    labels = np.arange(count) % 2
    return Rows(rng.integers(0, text, count), pictures, labels, np.arange(count) // 2)


@pytest.fixture
def data() -> Data:
    """Texts of one to three pieces and pictures, whose tokens are their own number; pictures 0-5 are photographs."""
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


def test_each_set_of_memes_is_split_by_group_with_every_fold_used(data: Data) -> None:
    split = folds(data, CONFIG)
    assert {name: len(fold) for name, fold in split.items()} == {"religious_hateful": 24, "harmeme": 36}
    for name, fold in split.items():
        groups = data.rows[name].group
        assert all(len(set(fold[groups == group])) == 1 for group in set(groups))
        assert set(fold) == set(range(CONFIG.folds))


def test_folds_are_drawn_by_the_seed(data: Data) -> None:
    split, again, different = (folds(data, replace(CONFIG, seed=seed))["harmeme"].tolist() for seed in (1, 1, 2))
    assert split == again
    assert split != different


def test_a_modality_is_dropped_as_often_as_configured_and_never_both() -> None:
    count = 6000
    zeros = np.zeros(count)
    memes = Rows(np.where(np.arange(count) % 10, 5, -1), np.full(count, 3), zeros, zeros)
    dropped = memes.drop_modalities(0.2, np.random.default_rng(0))
    lost_picture, lost_text = dropped.picture < 0, (dropped.text < 0) & (memes.text >= 0)
    assert not (dropped.picture[dropped.text < 0] < 0).any()
    assert lost_picture[memes.text >= 0].mean() == pytest.approx(0.2, abs=0.02)
    assert lost_text[memes.text >= 0].mean() == pytest.approx(0.2, abs=0.02)


def test_a_dropout_that_would_leave_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"modality_dropout=0\.6"):
        replace(CONFIG, modality_dropout=0.6)


def test_each_step_draws_the_configured_rows(data: Data) -> None:
    config = replace(CONFIG, steps=5)
    batches = list(TrainingBatches(data, data.rows, config, 1))
    assert len(batches) == 5
    for batch in batches:
        assert {name: len(labels) for name, (_, labels, _) in batch.items()} == config.rows
        assert {name for name, (_, _, column) in batch.items() if HEADS[column] == "harm"} == {"harmeme"}
        assert not batch["sentences"][0][1].any()
        assert batch["beside"][0][1].all()
        assert batch["beside"][0][3].any(1).all()
        assert not batch["photographs"][0][3].any()
        assert batch["photographs"][1].sum() == 0


def test_a_photograph_comes_with_hate_as_often_as_with_harmless_text(data: Data) -> None:
    for batch in TrainingBatches(data, data.rows, replace(CONFIG, steps=5), 1):
        (image, *_), labels, _ = batch["beside"]
        pairs = list(zip(image[:, 0, 0].tolist(), labels.tolist(), strict=True))
        assert {number for number, _ in pairs} <= set(range(6))
        for number in {number for number, _ in pairs}:
            photograph_labels = [label for photograph, label in pairs if photograph == number]
            assert sum(photograph_labels) * 2 == len(photograph_labels)


def test_batches_with_the_same_seed_are_the_same(data: Data) -> None:
    first, second = (next(iter(TrainingBatches(data, data.rows, replace(CONFIG, steps=1), 4))) for _ in range(2))
    for name in first:
        for left, right in zip(first[name][0], second[name][0], strict=True):
            assert torch.equal(left, right)
        assert torch.equal(first[name][1], second[name][1])


def test_predicting_does_not_depend_on_the_batch_and_keeps_the_mode(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = CrossAttention(CrossAttentionSettings(width=12, heads=2)).train()
    memes = data.rows["religious_hateful"]
    logits = predict(net, data, memes)
    assert (logits.shape, logits.dtype) == ((24, 2), np.float32)
    monkeypatch.setattr(hate_rows, "BATCH_SIZE", 5)
    np.testing.assert_allclose(predict(net, data, memes), logits, atol=1e-5)
    assert net.training
    assert predict(net, data, memes.take(np.arange(0))).shape == (0, 2)


def test_folds_are_trained_and_predict_the_rows_that_they_did_not_train_on(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = CrossAttentionSettings(width=12, heads=2)
    monkeypatch.setattr(train, "CrossAttentionSettings", lambda: small)
    config = replace(CONFIG, folds=2, steps=2, check_every=1, warmup=0.5)
    nets, out_of_fold = train.train_folds(data, config, tmp_path, resume=False)
    assert len(nets) == 2
    assert {name: len(logits) for name, logits in out_of_fold.items()} == {"religious_hateful": 24, "harmeme": 36}
    for name, fold in folds(data, config).items():
        for number, net in enumerate(nets):
            index = np.flatnonzero(fold == number)
            expected = predict(net, data, data.rows[name].take(index))[:, head_of(name)]
            np.testing.assert_allclose(out_of_fold[name][index], expected, atol=1e-6)
    checks = curve_by_check(tmp_path / "fold0" / "metrics.csv", "auroc")
    assert [point["step"] for point in checks] == [1, 2]
    assert all({"auroc", *(f"auroc_{name}" for name in MEME_SETS)} <= set(point) for point in checks)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold*.pt")}
    again, _ = train.train_folds(data, config, tmp_path, resume=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold*.pt")} == times, "trained again"
    weights, resumed, second = (next(net.parameters()) for net in (nets[0], again[0], nets[1]))
    assert torch.equal(weights, resumed)
    assert not torch.equal(weights, second)


def test_rows_are_taken_by_number() -> None:
    chosen = rows(10, picture=True, seed=5).take(np.array([7, 2, 2]))
    assert chosen.label.tolist() == [1, 0, 0]
    assert chosen.group.tolist() == [3, 1, 1]
    assert len(chosen) == 3


def test_sentences_are_told_apart_by_language() -> None:
    index = np.arange(4)
    sentences = Rows(index, index, index % 2, index, np.array(["de", "en", "de", "pl"]))
    assert {code: own.text.tolist() for code, own in sentences.by_language().items()} == {
        "de": [0, 2],
        "en": [1],
        "pl": [3],
    }
    assert rows(4, picture=True, seed=0).by_language() == {}
