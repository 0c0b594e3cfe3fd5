"""Our counterfactual sentences: languages, splits, forms, inflection."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pytest

from models.classifiers.targets import TARGETS
from training.datasets.counterfactuals import LABELS, LANGUAGES, WITH_SLURS, Sentence, fill, sentences, templates

SPLITS = {split: sentences(split) for split in ("train", "validation")}
WHOLE = SPLITS["train"] + SPLITS["validation"]


@pytest.mark.parametrize(("split", "digest"), [("train", "09de3e68712d9340"), ("validation", "2b46c847816c65d8")])
def test_text_and_order_are_those_that_the_shipped_weights_were_trained_on(split: str, digest: str) -> None:
    values = [(s.text, s.label, s.form, s.group, s.target, s.language) for s in SPLITS[split]]
    assert hashlib.sha256(repr(values).encode()).hexdigest()[:16] == digest


def test_no_sentence_is_on_both_sides() -> None:
    assert not {s.text for s in SPLITS["train"]} & {s.text for s in SPLITS["validation"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_form_is_there_in_every_language_and_nearly_all_are_held_out_too(language: str) -> None:
    train, validation = ({(s.form, s.label) for s in split if s.language == language} for split in SPLITS.values())
    assert train == set(LABELS.items())
    assert len(train - validation) <= 1  # of the shorter lists the hash may hold out none


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_is_spoken_of_with_hate_and_without(language: str) -> None:
    labels = defaultdict(set)
    for sentence in sentences("train", names=100):
        if sentence.language == language and sentence.form != "hostile_to_others":
            labels[sentence.group].add(sentence.label)
    file = templates(language)
    for name in file["groups"]:
        assert labels[name[file["forms"][0]]] == {0, 1}
        assert name["target"] in TARGETS
    assert {name["target"] for name in file["groups"]} == set(TARGETS)


def test_no_placeholder_and_no_alternative_is_left() -> None:
    assert not [s.text for s in WHOLE if any(mark in s.text for mark in "{}[]")]  # a bar alone is how profiles list
    assert not [s.text for s in WHOLE if "  " in s.text or s.text != s.text.strip()]


def test_targets_are_named_where_a_group_is() -> None:
    for sentence in WHOLE:
        assert (sentence.target in TARGETS) == bool(sentence.group and sentence.form != "hostile_to_others"), sentence


def test_slurs_stand_in_hate_and_in_quotes_only() -> None:
    slurs = {
        name[file["forms"][0]] for file in map(templates, LANGUAGES) for name in file["groups"] if name.get("slur")
    }
    forms = {sentence.form for sentence in WHOLE if sentence.group in slurs}
    assert slurs and forms <= {*WITH_SLURS, "quoted"}


def test_names_are_inflected_and_alternatives_follow_their_gender() -> None:
    name = {"sg": "una mujer", "pl": "mujeres", "gender": "f"}
    assert fill("{Sg} es amig[o|a] de {pl}.", name, ["m", "f"]) == "Una mujer es amiga de mujeres."
    assert fill("{Pl} viv[|ía]en.", name | {"gender": "m"}, ["m", "f"]) == "Mujeres viven."


@pytest.mark.parametrize("split", SPLITS)
def test_a_few_of_them_have_both_labels_and_are_always_the_same(split: str) -> None:
    few = sentences(split, 60)
    assert len(few) == 60 and set(few) <= set(SPLITS[split])
    assert {sentence.label for sentence in few} == {0, 1}
    assert few == sentences(split, 60)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'test'"):
        sentences("test")


def test_a_sentence_is_english_unless_it_says_otherwise() -> None:
    assert Sentence("I hate Mondays.", 0, "hostile_to_others", "Mondays").language == "en"
