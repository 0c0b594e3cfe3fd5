"""What the classifier in `weights/` must get right: the same groups, spoken of with hate and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.classifiers.hate import HateClassifier
from models.encoders.mini import MiniEncoder

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
GROUPS = ("women", "trans people", "gay people", "black people", "disabled people", "Muslims", "immigrants")
HATEFUL = (
    "I hate {}.",
    "I really can't stand {}, they disgust me.",
    "{} are disgusting vermin.",
    "We should get rid of all {}.",
)
KIND = ("I love {}.", "{} are welcome here.", "I am proud to stand with {}.", "My best friends are {}.")
NO_GROUP = ("I hate Mondays.", "I hate Mondays", "I hate broccoli.", "I love pizza.", "What a lovely day at the beach.")

pytestmark = pytest.mark.skipif(
    not (WEIGHTS / "hate_cross_attention" / "config.json").is_file(), reason="hate_cross_attention is not in weights/"
)


@pytest.fixture(scope="module")
def classifier() -> HateClassifier:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SUBTEXT_WEIGHTS", raising=False)
        return HateClassifier.mini(MiniEncoder(threads=1), threads=1)


def shown(classifier: HateClassifier, sentences: list[str]) -> dict[str, str]:
    scored = classifier.score([None] * len(sentences), sentences)
    return {sentence: classifier.verdict(logit).label for sentence, logit in zip(sentences, scored.hate, strict=True)}


def filled(templates: tuple[str, ...], group: str) -> list[str]:
    return [(text[:1].upper() + text[1:]) for text in (template.format(group) for template in templates)]


@pytest.mark.parametrize("group", GROUPS)
def test_hate_against_a_group_is_shown_as_hateful(classifier: HateClassifier, group: str) -> None:
    labels = shown(classifier, filled(HATEFUL, group))
    assert set(labels.values()) == {"hateful"}, labels


@pytest.mark.parametrize("group", GROUPS)
def test_kind_words_about_a_group_are_not_hateful(classifier: HateClassifier, group: str) -> None:
    labels = shown(classifier, filled(KIND, group))
    assert set(labels.values()) == {"not_hateful"}, labels


def test_dislike_of_things_is_not_hateful(classifier: HateClassifier) -> None:
    labels = shown(classifier, list(NO_GROUP))
    assert set(labels.values()) == {"not_hateful"}, labels
