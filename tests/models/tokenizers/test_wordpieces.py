"""Odd texts to word pieces, and each piece back to the characters of the text as shown."""

from __future__ import annotations

import random
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models import weights
from models.io.caption_words import words
from models.tokenizers.wordpieces import Vocabulary
from tests import vocabulary_for_tests

MAX_PIECES = vocabulary_for_tests.MAX_PIECES


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    root = tmp_path_factory.mktemp("weights")
    vocabulary_for_tests.write(root / "mini_vocabulary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(root))
        return Vocabulary(max_length=MAX_PIECES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("we hate mondays", ["we", "hate", "mondays"]),
        ("We HATE loves", ["We", "HATE", "love", "s"]),
        ("we ha\u200bte\u00ad mondays", ["we", "ha\u200bte", "mondays"]),  # zero-width space, soft hyphen
        ("ｗｅ ｌｏｖｅ", ["ｗｅ", "ｌｏｖｅ"]),  # full-width letters
        ("h\u0430te the", ["h\u0430te", "the"]),  # a Cyrillic a
        ("x 😀 love", ["x", "😀", "love"]),
        ("👩\u200d👩\u200d👧 love!", ["👩\u200d👩\u200d👧", "love", "!"]),
        ("\ufb01n", ["\ufb01", "\ufb01", "n"]),  # a ligature is two letters, both from one character
        ("na\u0308h", ["n", "a\u0308", "h"]),  # a and its dots are one letter
        ("  we\n\n\tlove  ", ["we", "love"]),
        ("𝓱𝓪𝓽𝓮 the", ["𝓱𝓪𝓽𝓮", "the"]),  # mathematical letters, beyond the first 65,536 code points
    ],
)
def test_each_piece_points_to_its_characters(vocabulary: Vocabulary, text: str, expected: list[str]) -> None:
    (spans,) = vocabulary.look_up([text]).spans
    assert spans[0] == spans[-1] == (0, 0), "start and end stand for no character"
    assert [text[start:end] for start, end in spans[1:-1]] == expected


def test_pieces_run_on_in_reading_order_and_miss_no_letter(vocabulary: Vocabulary) -> None:
    texts = ["We l\u200bo\u200bve ｍｏｎｄａｙｓ, not h\u0430tes! 😀 \ufb01", "a-b c'd @good #people"]
    for text, spans in zip(texts, vocabulary.look_up(texts).spans, strict=True):
        real = [span for span in spans if span != (0, 0)]
        assert real == sorted(real)
        read = {at for start, end in real for at in range(start, end)}
        visible = {at for at, character in enumerate(text) if unicodedata.category(character) not in ("Zs", "Cf")}
        assert visible <= read


BITS = (
    "hate", "ｗｅ", "\ufb01n", "😀", "👩\u200d👧", "\u200b", "\u00ad", "na\u0308ive", "é", "\u0430", "T\u0435st", " ", "\n",
    "don't", "a$$", "#tag", "①", "½", "…", "中文", "\u1112\u1161\u11ab", "e\u0301\u0301\u0301", "🏳️\u200d🌈", "1️⃣", "🇩🇪",
    "ß", "İ", "ŉ", "\ufdfa", "™",
)  # fmt: skip


def test_every_word_of_any_text_has_pieces_of_its_own(vocabulary: Vocabulary) -> None:
    rng = random.Random(0)
    for _ in range(400):
        text = "".join(rng.choices(BITS, k=rng.randint(1, 6)))
        pieces = vocabulary.look_up([text])
        real = [span for span in pieces.spans[0] if span != (0, 0)]
        assert all(0 <= start < end <= len(text) for start, end in real), repr(text)
        assert real == sorted(real), repr(text)
        read = len(text) if not pieces.cut[0] else real[-1][0]
        for word, start, end in words(text, pieces.spans[0]):
            if end <= read:
                assert any(first < end and last > start for first, last in real), f"{word!r} of {text!r} has no piece"


def test_rows_are_those_of_the_table_and_padding_is_masked(vocabulary: Vocabulary) -> None:
    pieces = vocabulary.look_up(["we", "we hate the people"])
    assert pieces.mask.tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert (pieces.embedded.dtype, pieces.embedded.shape) == (np.float32, (2, 6, 384))
    table = weights.tensor(vocabulary.card, "word_embeddings").astype(np.float32)
    we = vocabulary_for_tests.PIECES.index("we")
    np.testing.assert_array_equal(pieces.embedded[:, 1], table[[we, we]])
    np.testing.assert_array_equal(pieces.embedded[0, :3], pieces.embedded[1, [0, 1, 5]])


def test_nothing_and_no_texts(vocabulary: Vocabulary) -> None:
    assert vocabulary.look_up(["", "\u200b"]).spans == (((0, 0), (0, 0)),) * 2
    nothing = vocabulary.look_up([])
    assert (nothing.embedded.shape, nothing.mask.shape, nothing.cut) == ((0, 0, 384), (0, 0), ())


def test_a_long_text_is_cut_and_says_so(vocabulary: Vocabulary) -> None:
    fits = " ".join(["love"] * (MAX_PIECES - 2))
    pieces = vocabulary.look_up([fits, fits + " hate", "love"])
    assert pieces.cut == (False, True, False)
    assert pieces.mask.sum(1).tolist() == [MAX_PIECES, MAX_PIECES, 3]
    assert pieces.spans[0] == pieces.spans[1], "of the longer one the same words are read"


def test_threads_share_one_vocabulary(vocabulary: Vocabulary) -> None:
    texts = ["we hate mondays", "love", "ｔｈｅ people " * 9, "", "😀"]
    alone = [vocabulary.look_up([text]) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: vocabulary.look_up([text]), texts * 10))
    for number, pieces in enumerate(together):
        assert pieces.spans == alone[number % len(texts)].spans
        np.testing.assert_array_equal(pieces.embedded, alone[number % len(texts)].embedded)
