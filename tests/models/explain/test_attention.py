"""Attention made by hand, put together to words by another way of counting."""

from __future__ import annotations

import numpy as np
import pytest

from models.analysis import Attention as Drawn
from models.explain.attention import draw
from models.fusion.base import Attention, Fused

CAPTION = "we ha\u200bte mondays!"
SPANS = ((0, 0), (0, 2), (3, 6), (6, 8), (9, 16), (16, 17), (0, 0))  # start, we, ha, ##te, mondays, !, end
HATE = [2, 3]


def fused(words: int, regions: int = 49, *, heads: int = 2, seed: int = 0) -> Fused:
    rng = np.random.default_rng(seed)

    def rows(*shape: int) -> np.ndarray:
        raw = rng.exponential(size=(1, heads, *shape)).astype(np.float32)
        return raw / raw.sum(-1, keepdims=True)

    return Fused(np.zeros((1, 2), np.float32), Attention(rows(words, regions), rows(regions, words)))


def grids(drawn: Drawn) -> np.ndarray:
    return np.array(drawn.word_regions).reshape(-1, 49)


@pytest.fixture
def given() -> Fused:
    return fused(len(SPANS))


@pytest.fixture
def drawn(given: Fused) -> Drawn:
    return draw(given, CAPTION, SPANS, has_image=True)


def test_everything_sums_to_one_and_each_word_has_a_grid(drawn: Drawn) -> None:
    assert drawn.status == "ok"
    assert [(word.text, word.start, word.end) for word in drawn.words] == [
        ("we", 0, 2),
        ("ha\u200bte", 3, 8),
        ("mondays", 9, 16),
    ]
    assert sum(word.weight for word in drawn.words) == pytest.approx(1)
    assert np.array(drawn.regions).shape == (7, 7)
    assert np.array(drawn.regions).sum() == pytest.approx(1)
    assert np.array(drawn.word_regions).shape == (3, 7, 7)
    np.testing.assert_allclose(grids(drawn).sum(1), 1, rtol=1e-5)


def test_a_word_looks_where_its_pieces_look_on_average(given: Fused, drawn: Drawn) -> None:
    assert given.attention is not None
    pieces = given.attention.words[0].sum(0) / 2  # (words, 49)
    np.testing.assert_allclose(grids(drawn)[1], (pieces[2] + pieces[3]) / 2, rtol=1e-5)
    np.testing.assert_allclose(np.ravel(drawn.regions), pieces[[1, 2, 3, 4]].mean(0), rtol=1e-5)


def test_a_word_weighs_as_much_as_its_pieces_together_and_start_and_end_count_for_none(
    given: Fused, drawn: Drawn
) -> None:
    assert given.attention is not None
    shares = given.attention.regions[0].sum((0, 1))  # (words,): how much all heads and patches look at each piece
    expected = np.array([shares[1], shares[2] + shares[3], shares[4]])
    np.testing.assert_allclose([word.weight for word in drawn.words], expected / expected.sum(), rtol=1e-5)


def test_the_first_row_of_the_grid_is_the_top_of_the_picture() -> None:
    looks = np.zeros((1, 1, 3, 49), np.float32)
    looks[..., 2 * 7 + 5] = 1  # third row, sixth column
    given = Fused(np.zeros((1, 2), np.float32), Attention(looks, np.full((1, 1, 49, 3), 1 / 3, np.float32)))
    drawn = draw(given, "we", ((0, 0), (0, 2), (0, 0)), has_image=True)
    assert drawn.word_regions[0][2][5] == drawn.regions[2][5] == 1


def test_words_beyond_the_cut_are_left_out() -> None:
    caption = "we hate mondays and tuesdays"
    spans = ((0, 0), (0, 2), (3, 7), (8, 11), (0, 0))  # cut inside `mondays`
    drawn = draw(fused(5), caption, spans, has_image=True)
    assert [word.text for word in drawn.words] == ["we", "hate", "mondays"]
    assert len(drawn.word_regions) == 3
    assert sum(word.weight for word in drawn.words) == pytest.approx(1)


def test_words_without_spaces_between_them_are_their_pieces() -> None:
    drawn = draw(fused(5), "今天天气", ((0, 0), (0, 1), (0, 2), (2, 4), (0, 0)), has_image=True)
    assert [(word.text, word.start, word.end) for word in drawn.words] == [("今天", 0, 2), ("天气", 2, 4)]
    assert sum(word.weight for word in drawn.words) == pytest.approx(1)


def test_a_piece_that_two_words_share_belongs_to_both() -> None:
    # One run of characters may become one piece where this code sees two words.
    drawn = draw(fused(3), "we hate", ((0, 0), (0, 7), (0, 0)), has_image=True)
    assert [(word.text, word.weight) for word in drawn.words] == [("we", 0.5), ("hate", 0.5)]


def test_without_a_picture_there_are_only_words() -> None:
    drawn = draw(fused(len(SPANS), regions=1), CAPTION, SPANS, has_image=False)
    assert (drawn.status, drawn.regions, drawn.word_regions) == ("no_image", (), ())
    assert sum(word.weight for word in drawn.words) == pytest.approx(1)
    assert len(drawn.words) == 3


def test_without_words_there_is_only_the_picture() -> None:
    given = fused(1)
    drawn = draw(given, "", (), has_image=True)
    assert (drawn.status, drawn.words, drawn.word_regions) == ("no_text", (), ())
    assert given.attention is not None
    np.testing.assert_allclose(np.ravel(drawn.regions), given.attention.words[0].mean(0)[0], rtol=1e-5)


def test_a_caption_of_marks_alone_has_no_words_but_looks_at_the_picture() -> None:
    drawn = draw(fused(5), "?!.", ((0, 0), (0, 1), (1, 2), (2, 3), (0, 0)), has_image=True)
    assert (drawn.status, drawn.words, drawn.word_regions) == ("ok", (), ())
    assert np.array(drawn.regions).sum() == pytest.approx(1)


def test_a_fusion_without_attention_is_off() -> None:
    drawn = draw(Fused(np.zeros((1, 2), np.float32)), CAPTION, SPANS, has_image=True)
    assert (drawn.status, drawn.words, drawn.regions) == ("off", (), ())
    assert drawn.detail
