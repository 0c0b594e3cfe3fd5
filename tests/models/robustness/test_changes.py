"""Every change of the registry, and sweeps over a scorer whose answer is known."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from models.analysis import Bands, Caption, Meme, Verdict
from models.errors import BadInput
from models.io.captions import normalize
from models.robustness.changes import CHANGES, MAX_NOISE, SEED, Change, fitting, noise, smallest_flip, sweep

WORDS = "These people are wonderful neighbours and bake exciting bread"
SMALL = Image.fromarray(np.random.default_rng(0).integers(256, size=(5, 7, 3), dtype=np.uint8))
NOISE = SMALL.resize(
    (160, 120), Image.Resampling.BICUBIC
)  # patches with soft edges: every change can do something to it
MEME = Meme(NOISE, Caption(WORDS, "override"))


@dataclass
class Counting:
    """Hateful where more than `edge` of the picture's columns are black or of the words are gone; counts its calls."""

    edge: float = 0.3
    memes: list[Meme] = field(default_factory=list)

    def score(self, memes: Sequence[Meme]) -> list[Verdict]:
        self.memes += memes
        return [self._verdict(1 - len(meme.caption.text) / len(WORDS)) for meme in memes]

    def _verdict(self, probability: float) -> Verdict:
        label = "hateful" if probability > self.edge else "not_hateful"
        return Verdict(label, probability, 0.0, Bands(0.4, 0.6), "")


CUT = Change("cut", "Cut", "words", "letters", lambda text, s, _: text[: round(len(text) * (1 - s))] or "x")


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.name)
def test_strength_0_changes_nothing_and_strength_1_something(change: Change) -> None:
    assert change.apply(MEME, 0.0) is MEME
    changed = change.apply(MEME, 1.0)
    same_picture = np.array_equal(np.asarray(changed.image), np.asarray(NOISE))
    assert (change.side == "picture") != same_picture
    assert (change.side == "words") != (changed.caption.text == WORDS)
    assert changed.image is not None and changed.image.size == NOISE.size and changed.image.mode == "RGB"


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.name)
def test_what_a_strength_does_is_told_in_its_unit(change: Change) -> None:
    assert change.describe(MEME, 0.5) != change.describe(MEME, 1.0)
    if change.side == "words":  # a strength above 0 changes one place at least, and says so
        assert change.describe(MEME, 0.001).startswith("1 of ") and change.describe(MEME, 0.0).startswith("0 of ")
        assert change.apply(MEME, 0.001).caption.text != WORDS
    tea = Meme(None, Caption("a tea, xy 7", "override"))
    said = {"typos": "2 of 6 letters", "leetspeak": "4 of 4 letters that can be", "emoji": "4 of 4 words"}
    if change.name in said:
        assert change.describe(tea, 1.0) == said[change.name]


@pytest.mark.parametrize("change", CHANGES.values(), ids=lambda change: change.name)
def test_the_same_seed_gives_the_same_meme_and_more_strength_more_change(change: Change) -> None:
    once, again, weak = change.apply(MEME, 0.8, 3), change.apply(MEME, 0.8, 3), change.apply(MEME, 0.2, 3)
    if change.side == "words":
        assert once.caption == again.caption
        places = [sum(a != b for a, b in zip(meme.caption.text, WORDS, strict=False)) for meme in (weak, once)]
    else:
        assert np.array_equal(np.asarray(once.image), np.asarray(again.image))
        places = [
            float(np.abs(np.asarray(meme.image, float) - np.asarray(NOISE, float)).mean()) for meme in (weak, once)
        ]
    assert 0 < places[0] < places[1], change.name


@pytest.mark.parametrize("name", ["homoglyphs", "zero_width"])
def test_what_is_not_seen_is_undone_before_it_is_read(name: str) -> None:
    changed = CHANGES[name].apply(MEME, 1.0).caption.text
    assert changed != WORDS
    assert normalize(changed).text == WORDS


def test_leetspeak_and_emoji() -> None:
    assert CHANGES["leetspeak"].apply(Meme(None, Caption("hate speech", "override")), 1.0).caption.text == "h473 5p33ch"
    words = CHANGES["emoji"].apply(MEME, 1.0).caption.text.split(" ")
    assert words[::2] == WORDS.split(" ")


def test_a_side_that_is_missing_is_told() -> None:
    alone = Meme(None, Caption(WORDS, "override"))
    assert {change.side for change in fitting(alone)} == {"words"}
    assert {change.side for change in fitting(Meme(NOISE, Caption()))} == {"picture"}
    with pytest.raises(BadInput, match="this meme has none: give one"):
        CHANGES["blur"].apply(alone, 0.5)
    with pytest.raises(BadInput, match="this meme has none: type some"):
        CHANGES["typos"].apply(Meme(NOISE, Caption()), 0.5)
    with pytest.raises(BadInput, match="between 0 and 1"):
        CHANGES["typos"].apply(alone, 1.5)


def test_the_smallest_flip_is_found_to_a_sixteenth_of_a_step() -> None:
    scorer = Counting(edge=0.333)
    points = list(sweep(scorer, MEME, CUT, steps=5))
    assert [point.strength for point in points] == [0, 0.25, 0.5, 0.75, 1]
    flip = smallest_flip(scorer, MEME, CUT, points)
    assert flip is not None
    assert flip.point.strength == pytest.approx(0.333, abs=0.25 / 16 + 0.02)
    assert flip.point.verdict.label == "hateful" and flip.before.label == "not_hateful"
    assert flip.queries == len(scorer.memes) == 5 + 4


def test_a_curve_keeps_no_picture() -> None:
    points = list(sweep(Counting(edge=0.333), MEME, CUT, steps=5))
    assert len(pickle.dumps(points)) < 2_000


def test_noise_is_the_same_however_many_rows_get_it_at_a_time() -> None:
    image = Image.effect_noise((70, 600), 40).convert("RGB")
    grain = np.random.default_rng(SEED).standard_normal((600, 70, 3), np.float32)
    whole = np.clip(np.asarray(image, np.float32) + 0.5 * MAX_NOISE * grain, 0, 255).round().astype(np.uint8)
    assert np.array_equal(np.asarray(noise(image, 0.5, SEED)), whole)


def test_no_flip_and_no_curve() -> None:
    scorer = Counting(edge=2.0)
    assert smallest_flip(scorer, MEME, CUT, list(sweep(scorer, MEME, CUT, steps=3))) is None
    assert smallest_flip(scorer, MEME, CUT, []) is None
    with pytest.raises(BadInput, match="at least 2 strengths"):
        list(sweep(scorer, MEME, CUT, steps=1))
