"""Our counterfactual sentences: splits, forms, misspellings."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict

import pytest

from training.datasets.counterfactuals import GROUPS, LABELS, OTHERS, TEMPLATES, Sentence, misspell, sentences

SPLITS = {split: sentences(split) for split in ("train", "validation")}


def template(sentence: Sentence) -> str:
    name = sentence.group
    return sentence.text.replace(name[:1].upper() + name[1:], "{}").replace(name, "{}") if name else sentence.text


@pytest.mark.parametrize(("split", "digest"), [("train", "ec3a012a349fd32f"), ("validation", "2157ab96450cad6e")])
def test_text_and_order_are_those_that_the_shipped_weights_were_trained_on(split: str, digest: str) -> None:
    values = [(s.text, s.label, s.form, s.group) for s in SPLITS[split]]
    assert hashlib.sha256(repr(values).encode()).hexdigest()[:16] == digest


def test_no_template_of_a_form_is_on_both_sides() -> None:
    train, validation = ({(s.form, template(s)) for s in part} for part in SPLITS.values())
    assert train
    assert validation
    assert not train & validation
    assert not {s.text for s in SPLITS["train"]} & {s.text for s in SPLITS["validation"]}


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_every_group_is_spoken_of_with_hate_and_without(split: str) -> None:
    labels = defaultdict(set)
    for sentence in SPLITS[split]:
        labels[sentence.group].add((sentence.form, sentence.label))
    for group in GROUPS:
        assert ("hateful", 1) in labels[group]
        assert {("kind", 0), ("neutral", 0), ("negated", 0), ("quoted", 0)} <= labels[group]
    for name in OTHERS:
        assert labels[name] == {("hostile_to_others", 0)}


def test_every_template_is_used_and_every_form_is_on_both_sides() -> None:
    whole = SPLITS["train"] + SPLITS["validation"]
    names = {"plain": 1, "hostile_to_others": len(OTHERS)}
    for form, label in LABELS.items():
        of_form = [sentence for sentence in whole if sentence.form == form]
        assert len(of_form) == len(TEMPLATES[form]) * names.get(form, len(GROUPS))
        assert {sentence.label for sentence in of_form} == {label}
        assert all(any(sentence.form == form for sentence in part) for part in SPLITS.values())


def test_names_are_filled_in_and_begin_a_sentence_with_a_capital() -> None:
    whole = SPLITS["train"] + SPLITS["validation"]
    assert not any(mark in sentence.text for sentence in whole for mark in "{}")
    assert all(sentence.group.casefold() in sentence.text.casefold() for sentence in whole)
    assert any(sentence.text.startswith("Trans people ") for sentence in whole)


@pytest.mark.parametrize("split", SPLITS)
def test_a_few_of_them_have_both_labels_and_are_always_the_same(split: str) -> None:
    few = sentences(split, 40)
    assert len(few) == 40 and set(few) <= set(SPLITS[split])
    assert {sentence.label for sentence in few} == {0, 1}
    assert few == sentences(split, 40)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="'test'"):
        sentences("test")


def test_a_misspelling_keeps_all_words_but_one() -> None:
    text = "some people really despise mosquitoes"
    misspelt = {misspell(text, random.Random(seed)) for seed in range(300)}
    assert len(misspelt) > 30
    for wrong in misspelt - {text}:
        left, right = text.split(), wrong.split()
        while left and right and left[0] == right[0]:
            left, right = left[1:], right[1:]
        while left and right and left[-1] == right[-1]:
            left, right = left[:-1], right[:-1]
        assert len(left) <= 2, f"more than a word and its gap changed: {wrong!r}"
        assert right
    assert "some people really de5pi5e mosquitoes" not in misspelt  # leet letters are 4 3 1 0 and $
    assert "some people really d3$p1$3 mosquitoes" in misspelt
    assert "some people really d.e.s.p.i.s.e mosquitoes" in misspelt
    assert "some people really despisemosquitoes" in misspelt


@pytest.mark.parametrize("text", ["", "a", "we are", "it is so"])
def test_short_words_stay(text: str) -> None:
    assert {misspell(text, random.Random(seed)) for seed in range(40)} == {text}


def test_the_same_seed_misspells_alike() -> None:
    assert misspell("every single word", random.Random(5)) == misspell("every single word", random.Random(5))
