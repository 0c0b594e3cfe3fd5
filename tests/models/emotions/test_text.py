from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from models.emotions.text import BATCH_SIZE, LABELS, TextEmotionClassifier
from models.errors import BadWeights
from models.tokenizers.wordpieces import Vocabulary
from tests import vocabulary_for_tests

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny


@pytest.fixture
def classifier(shelf: Tiny) -> TextEmotionClassifier:
    return TextEmotionClassifier(threads=1)


def test_all_28_come_present_ones_first_then_by_falling_probability(classifier: TextEmotionClassifier) -> None:
    classifier.thresholds = np.where(np.arange(28) % 2, 0.01, 0.99)
    (emotions,) = classifier.classify(["we hate mondays"])
    assert emotions.status == "ok"
    assert {score.label for score in emotions.scores} == set(LABELS)
    present = [score for score in emotions.scores if score.present]
    assert 0 < len(present) < 28
    assert tuple(present) == emotions.scores[: len(present)]
    for part in (present, emotions.scores[len(present) :]):
        chances = [score.probability for score in part]
        assert chances == sorted(chances, reverse=True)
    for score in emotions.scores:
        assert score.threshold == (0.01 if LABELS.index(score.label) % 2 else 0.99)
        assert score.present is (score.probability >= score.threshold)


def test_a_blank_text_has_no_emotions(classifier: TextEmotionClassifier) -> None:
    emotions = classifier.classify(["", " \n", "\u200b", "love"])
    assert [answer.status for answer in emotions] == ["no_text"] * 3 + ["ok"]
    assert emotions[0].scores == ()
    assert classifier.classify([]) == []


def test_many_texts_come_out_as_each_alone(classifier: TextEmotionClassifier) -> None:
    texts = [" ".join(["love", "mondays", "not"][: 1 + row % 3] * (1 + row % 5)) for row in range(BATCH_SIZE + 4)]
    together = classifier.probabilities(Vocabulary().look_up(texts))
    for row, text in enumerate(texts):
        alone = classifier.probabilities(Vocabulary().look_up([text]))
        np.testing.assert_allclose(together[row], alone[0], atol=1e-5)
    assert (together > 0).all()
    assert (together < 1).all()


def test_other_word_pieces_are_refused(shelf: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mini_vocabulary", "minilm_vocabulary"):
        vocabulary_for_tests.write(tmp_path / name, seed=1)
    shutil.copytree(shelf.root / "text_emotions", tmp_path / "text_emotions")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    with pytest.raises(BadWeights, match="text_emotions was trained on other word pieces"):
        TextEmotionClassifier(threads=1)
