"""What another copy's label tells: held to scikit-learn's figures, on drawn rows of Memotion's and Dreaddit's kind."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from benchmarks import near_copies
from components.evaluate import published
from training.datasets.base import Row
from training.tasks import registry
from training.tasks.base import HeadTask

SENTIMENT = registry.head_tasks("memotion-sentiment")
CLASSES = ("negative", "neutral", "positive")


def meme(number: int, group: str, label: str | None, text: str = "one does not simply draw a meme") -> Row:
    return Row("memotion", str(number), text, None, label, group)


def drawn(agree: float) -> list[Row]:
    """30 memes twice; the second label is the first one as often as `agree`, else another's."""
    random = np.random.default_rng(3)
    first = random.integers(3, size=30)
    second = np.where(random.random(30) < agree, first, random.integers(3, size=30))
    labels = [CLASSES[at] for pair in zip(first, second, strict=True) for at in pair]
    return [meme(number, str(number // 2), label) for number, label in enumerate(labels)]


def agreement(rows: list[Row], tasks: tuple[HeadTask, ...]) -> dict[str, float]:
    return near_copies.agreement(rows, list(near_copies.copies(rows)), tasks)


def test_copies_are_of_one_group_with_words_alike() -> None:
    rows = [
        meme(0, "a", "neutral"), meme(1, "a", "neutral", "One does not simply draw a meme."),
        meme(2, "a", "neutral", "another joke in the same picture"), meme(3, "b", "neutral"),
        meme(4, "", "neutral"), meme(5, "", "neutral"),
    ]  # fmt: skip
    assert sorted(near_copies.copies(rows)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("agree", [0.0, 0.5])
def test_figures_are_scikit_learns(agree: float) -> None:
    rows = drawn(agree)
    truth = [row.label for row in rows]
    other = [rows[number ^ 1].label for number in range(len(rows))]
    metrics = agreement(rows, SENTIMENT)
    assert (metrics["rows"], metrics["groups"]) == (60, 30)
    assert metrics["macro_f1"] == pytest.approx(f1_score(truth, other, average="macro"))
    assert metrics["kappa"] == pytest.approx(cohen_kappa_score(truth, other))
    assert metrics["accuracy"] == pytest.approx(np.mean(np.equal(truth, other)))
    assert metrics["kappa_low"] < metrics["kappa"] < metrics["kappa_high"]


def test_copies_that_always_agree_tell_everything() -> None:
    metrics = agreement(drawn(1.0), SENTIMENT)
    assert (metrics["macro_f1"], metrics["accuracy"], metrics["kappa"]) == pytest.approx((1, 1, 1))
    assert metrics["accuracy_majority"] < 0.6


def test_a_row_counts_once_however_many_copies_it_has() -> None:
    rows = drawn(1.0)
    crowd = [meme(100 + number, "crowd", CLASSES[number == 0]) for number in range(5)]  # one against four
    metrics = agreement([*rows, *crowd], SENTIMENT)
    assert metrics["accuracy"] == pytest.approx((60 + 0 + 4 * 3 / 4) / 65)


def test_little_is_told_by_few_memes_and_by_rows_without_an_answer() -> None:
    assert agreement(drawn(1.0)[:20], SENTIMENT) == {}
    assert agreement([meme(number, "", "neutral") for number in range(60)], SENTIMENT) == {}
    silent = [*drawn(1.0), meme(200, "0", None)]
    assert agreement(silent, SENTIMENT)["rows"] == 60


def test_the_results_page_tells_what_was_measured() -> None:
    published_metrics = {task: published.near_copies(task) for task in ("memotion-sentiment", "memotion-types")}
    page = (published.NEAR_COPIES.parents[1] / "docs" / "results.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"{published_metrics['memotion-sentiment']['groups']} of its memes appear more than once" in page
    sentence = "kappa {:.2f} for sentiment, {:.2f} for the four types".format(
        *(entry["kappa"] for entry in published_metrics.values())
    )
    assert sentence in page
