"""Rows of the word tower's training: weights, held-out texts, what is known of them, and the rates of hate by source."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.classifiers.targets import KINDS, TARGETS
from training.backbones import mini_words
from training.backbones.mini_words import OUTPUTS, MiniWordsConfig, Row, simple_kind, tables
from training.config import load_config
from training.hate import data as hate_rows

CONFIG = load_config("mini_words", MiniWordsConfig)
PLAIN = replace(CONFIG, evaded=0.0, drawn=0.0, named_emoji=0.0, surrounded=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Small files with the columns of the real ones; "known" is a validation row of `hate_targets`."""
    english = [
        ("we like them", 0, "nothate", "dynahate"), ("we hate them", 1, "hate", "dynahate"),
        ("known", 0, "nothate", "dynahate"), ("such offence", 0, "offensive", "hatexplain"),
        ("a 🔪 for them", 1, "hate", "hatemoji_build"),
    ]  # fmt: skip
    german = [("wir hassen die", 1, "abuse", "germeval2018", "de"), ("wir mögen die", 0, "other", "germeval2018", "de")]
    columns = ["text", "label", "raw_label", "source_set"]
    for split in ("train", "validation"):
        rows = (
            english
            if split == "train"
            else [("we hate those", 1, "hate", "dynahate"), ("tea", 0, "nothate", "dynahate")]
        )
        pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / f"hate_text.{split}.parquet")
        pd.DataFrame(german, columns=[*columns, "language"]).to_parquet(tmp_path / f"hate_multilingual.{split}.parquet")
    targets = [("a 🔪 for them", 1, ["women"], "threateninglanguage")], [("known", 0, [], "none")]
    for split, named in zip(("train", "validation"), targets, strict=True):
        frame = pd.DataFrame(named, columns=["text", "label", "targets", "kind"])
        frame.to_parquet(tmp_path / f"hate_targets.{split}.parquet")
    return tmp_path


def test_rows_are_drawn_by_weight_and_none_is_a_validation_row(folder: Path) -> None:
    rows = [row for row in mini_words.training_rows(folder, PLAIN) if not row.source.startswith("counterfactuals")]
    counts = {text: [row.text for row in rows].count(text) for text in {row.text for row in rows}}
    assert counts.pop("wir hassen die") in (1, 2)
    assert {text: 1 <= count <= 2 for text, count in counts.items() if text != "a 🔪 for them"} == dict.fromkeys(
        ("we like them", "we hate them", "wir mögen die"), True
    )
    assert counts["a 🔪 for them"] == 4


def test_what_is_known_of_targets_and_kinds_comes_along(folder: Path) -> None:
    drawn = next(row for row in mini_words.training_rows(folder, PLAIN) if "🔪" in row.text)
    known = dict(zip(OUTPUTS[1:], drawn.others, strict=True))
    assert known["women"] == known["threat"] == 1
    assert known["jews"] == known["derogation"] == 0
    plain = next(row for row in mini_words.training_rows(folder, PLAIN) if row.text == "we like them")
    assert np.isnan(plain.others).all()


def test_counterfactuals_name_their_target() -> None:
    rows = mini_words.counterfactual_rows("validation")
    assert {len(row.others) for row in rows} == {len(TARGETS) + len(KINDS)}
    assert any(row.others[TARGETS.index("jews")] == 1 and row.language == "pl" for row in rows)
    assert all(np.isnan(row.others[len(TARGETS) :]).all() == (row.label == 1) for row in rows)


def test_a_sentence_stays_whole_between_harmless_ones() -> None:
    for seed in range(20):
        surrounded = mini_words.surround("we hate them", ["tea.", "cake.", "rain."], random.Random(seed))
        assert (
            "we hate them" in surrounded
            and 2 <= sum(word in surrounded for word in ("hate", "tea", "cake", "rain")) <= 4
        )


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        ("dynahate", "hate", "hate"), ("mlma2019", "abusive_hateful_normal", "hateful"), ("mlma2019", "normal", "normal"),
        ("mlma2019", "fearful_normal", "normal"), ("mlma2019", "abusive_normal", "offensive"),
    ],
)  # fmt: skip
def test_of_several_sentiments_one_decides(source: str, kind: str, expected: str) -> None:
    assert simple_kind(source, kind) == expected


def test_logits_are_shifted_by_the_rate_of_their_source() -> None:
    rows = [Row(str(number), int(number < 3), "some", "de", 1.0) for number in range(4)]
    rows += [Row("all", 1, "other", "en", 1.0)]
    data = tables(rows, CONFIG)
    assert data.offsets is not None
    np.testing.assert_allclose(data.offsets[:, 0], [*[np.log(3)] * 4, CONFIG.prior_limit], rtol=1e-5)
    assert not data.offsets[:, 1:].any()
    assert data.targets.shape == (5, len(OUTPUTS)) and sum(data.loss_weights or ()) == pytest.approx(
        1 + CONFIG.others_weight
    )


def test_both_labels_are_drawn_alike_from_every_source_and_language(folder: Path) -> None:
    drawn = hate_rows.balanced(folder, "train", CONFIG, 1.0, random.Random(0))
    labels = {(row.source, row.language): [] for row in drawn}
    for row in drawn:
        labels[row.source, row.language].append(row.label)
    assert ("germeval2018", "de") in labels
    assert all(sorted(both) == [0] * (len(both) // 2) + [1] * (len(both) // 2) for both in labels.values())
