"""A classifier whose logit is a sum that can be done in the head: what must come out is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from models.analysis import Caption, Evidence, Meme
from models.classifiers.hate import Scored
from models.encoders.base import Tokens
from models.explain.evidence import MAX_PIECES, measure
from models.fusion.base import Fused
from models.io.caption_words import words

EFFECTS = {"hate": 2.0, "love": -3.0, "mondays": 0.5}
NOTHING, NO_WORDS, BOTH = -1.0, 0.25, 0.125  # the base, what it adds to have no words, and words beside a picture
ENCODER_LIMIT = 256


class Encoder:
    """A picture is its redness, a text the sum of its words; a piece a word."""

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        red = np.array([np.asarray(image, np.float32)[..., 0].mean() / 255 for image in images], np.float32)
        return Tokens(
            np.repeat(red[:, None, None], 49, axis=1), np.ones((len(red), 49), bool), np.zeros((len(red), 512))
        )

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        rows = [words(text)[:ENCODER_LIMIT] for text in texts]
        tokens = np.zeros((len(texts), max(1, *map(len, rows)), 1), np.float32)
        for row, said in enumerate(rows):
            for column, (word, *_) in enumerate(said):
                tokens[row, column] = EFFECTS.get(word, 0.0)
        mask = np.arange(tokens.shape[1]) < np.array([len(said) for said in rows])[:, None]
        spans = tuple(((0, 0), *((start, end) for _, start, end in said), (0, 0)) for said in rows)
        return Tokens(tokens, mask, np.zeros((len(texts), 512)), spans)


class Classifier:
    """Counts the rows that it is asked for, and how many word pieces they held."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.calls: list[tuple[int, int]] = []

    def score_tokens(self, image: Tokens | None, text: Tokens | None) -> Scored:
        rows = len((image or text).mask) if image or text else 1
        self.calls.append((rows, text.mask.size if text else 0))
        logit = np.full(rows, NOTHING, np.float32)
        logit += image.tokens[:, 0, 0] * 4 if image else 0
        logit += text.tokens[..., 0].sum(1) if text else NO_WORDS
        logit += BOTH if image and text else 0
        return Scored(logit, -logit, Fused(np.stack([logit, -logit], axis=1)))


def run(text: str, image: Image.Image | None = None) -> tuple[Evidence, float, Classifier]:
    classifier = Classifier()
    image_tokens = classifier.encoder.encode_images([image]) if image else None
    read = classifier.encoder.encode_texts([text]) if text else None
    base = float(classifier.score_tokens(image_tokens, read).hate[0])
    classifier.calls.clear()
    meme = Meme(image, Caption(text, "override" if text else "none"))
    return measure(classifier, meme, image_tokens, read, base=base), base, classifier  # type: ignore[arg-type]


RED = Image.new("RGB", (40, 40), (255, 0, 0))


def test_picture_and_words_share_the_logit() -> None:
    evidence, base, _ = run("i hate mondays", RED)
    assert base == pytest.approx(NOTHING + 4 + 2.5 + BOTH)
    shapley = evidence.shapley
    assert shapley is not None
    assert shapley.base == pytest.approx(NOTHING + NO_WORDS)
    assert shapley.base + shapley.image + shapley.text == pytest.approx(shapley.total)
    assert shapley.total == base
    assert shapley.interaction == pytest.approx(BOTH)
    assert shapley.image == pytest.approx(4 + BOTH / 2)
    assert shapley.text == pytest.approx(2.5 - NO_WORDS + BOTH / 2)


@pytest.mark.parametrize(("text", "image"), [("i hate mondays", None), ("", RED)])
def test_a_side_that_is_not_there_has_moved_nothing(text: str, image: Image.Image | None) -> None:
    evidence, base, _ = run(text, image)
    assert evidence.shapley is not None
    assert (evidence.shapley.image, evidence.shapley.text)[image is not None] == 0
    assert (evidence.shapley.interaction, evidence.shapley.total) == (0, base)
    assert bool(evidence.words) == bool(text)
    assert bool(evidence.regions) == (image is not None)


@pytest.mark.parametrize("image", [None, RED])
def test_a_words_effect_is_the_logit_less_the_logit_without_it(image: Image.Image | None) -> None:
    text = "we love, no: hate mondays"
    evidence, base, _ = run(text, image)
    assert [word.text for word in evidence.words] == ["we", "love", "no", "hate", "mondays"]
    for word in evidence.words:
        without = run(text[: word.start] + text[word.end :], image)[1]
        assert word.effect == pytest.approx(base - without)


@pytest.mark.parametrize("text", ["hate", "\u200bhate", "hate\u2060"])
@pytest.mark.parametrize("image", [None, RED])
def test_without_its_only_word_a_caption_is_absent(text: str, image: Image.Image | None) -> None:
    evidence, base, _ = run(text, image)
    without = NOTHING + NO_WORDS + (4 if image else 0)
    assert [word.effect for word in evidence.words] == pytest.approx([base - without])


def test_a_regions_effect_is_that_of_its_pixels() -> None:
    half = Image.new("RGB", (40, 40))
    half.paste((255, 0, 0), (0, 0, 5, 40))  # half of the first column's cells
    evidence, base, _ = run("hate", half)
    assert len(evidence.regions) == 16
    covered = half.copy()
    covered.paste(
        half.resize((4, 4), Image.Resampling.BOX).resize((40, 40), Image.Resampling.BICUBIC).crop((0, 0, 10, 10))
    )
    first = evidence.regions[0]
    assert first.box == (0, 0, 10, 10)
    assert first.effect == pytest.approx(base - run("hate", covered)[1], abs=1e-6)
    assert first.effect != 0


@pytest.mark.parametrize("count", [1, 30, 100, 600])
def test_a_long_caption_stays_within_its_time_and_only_what_was_read_is_taken_apart(count: int) -> None:
    text = " ".join(["hate", *["word"] * (count - 1)])
    evidence, _, classifier = run(text, RED)
    assert evidence.words[0].effect == pytest.approx(2.0 - (NO_WORDS - BOTH if count == 1 else 0))
    assert evidence.words[-1].end == len(" ".join(text.split()[:ENCODER_LIMIT]))
    at_once = max(rows for rows, pieces in classifier.calls if pieces)
    assert at_once <= 40
    variants = [pieces for rows, pieces in classifier.calls if rows == len(evidence.words) and pieces]
    assert max(variants, default=0) <= MAX_PIECES
