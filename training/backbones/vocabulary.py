"""`python -m training fit mini_vocabulary`: the pieces of XLM-R that are needed here, and their embeddings in 4 bits.

XLM-R knows 250,002 pieces of a hundred languages (Conneau et al. 2020). Kept are those of which our training texts are
written, the commonest words of the 25 commonest languages on the web and of Hindi (W3Techs 2026; the lists of wordfreq,
Speer 2022), single letters and signs, and emoji. An emoji that XLM-R has no piece for gets one, whose embedding is the mean
of its CLDR short name's pieces.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from models import weights
from models.io.captions import normalize
from models.tokenizers.blocks import decode_blocks, encode_blocks
from models.tokenizers.wordpieces import MAX_PIECES, in_small_letters
from training.backbones import e5
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.datasets.counterfactuals import sentences
from training.datasets.evasions import emoji_names
from training.export import weights_folder
from training.export.cards import render_card

START, END = "<s>", "</s>"
SPECIAL = (START, "<pad>", END, "<unk>")
UNKNOWN = SPECIAL.index("<unk>")
TEXT_COLUMNS = {"text", "captions", "text_corrected"}
SPACE = "▁"  # begins a piece that begins a word
JOINERS = "[\u200d\ufe0e\ufe0f]"  # between and after emoji, which are read one by one


@dataclass(frozen=True)
class VocabularyConfig(Config):
    """`configs/mini_vocabulary.toml`, which says what each setting means."""

    languages: tuple[str, ...]
    words: int
    least: int
    text_sets: tuple[str, ...]


def tokenizer(pieces: Iterable[str], scores: Iterable[float]) -> Tokenizer:
    """A unigram tokenizer of these pieces, which begin with the four special ones."""
    model = models.Unigram(list(zip(pieces, map(float, scores), strict=True)), unk_id=UNKNOWN)
    built = Tokenizer(model)
    built.normalizer = normalizers.Replace(Regex(JOINERS), "")
    built.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    marks = [(mark, SPECIAL.index(mark)) for mark in (START, END)]
    built.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=marks)
    return built


def texts(folder: Path, config: VocabularyConfig) -> Iterator[str]:
    """The training texts and the counterfactual sentences, as the tokenizer sees them."""
    for name in config.text_sets:
        path = folder / f"{name}.train.parquet"
        for column in TEXT_COLUMNS & set(pq.read_schema(path).names):
            values = pd.read_parquet(path, columns=[column])[column].explode().dropna()
            yield from (in_small_letters(normalize(text)).text for text in values)
    yield from (in_small_letters(normalize(sentence.text)).text for sentence in sentences("train"))


def words(config: VocabularyConfig) -> Iterator[str]:
    """The commonest words of each language, small and with a capital, alone and after another letter."""
    from wordfreq import top_n_list

    for language in config.languages:
        for word in top_n_list(language, config.words):
            yield word
            yield word[:1].upper() + word[1:]
            if language in ("zh", "ja"):  # which put no space before a word
                yield f"的{word}"


def needed(full: Tokenizer, folder: Path, config: VocabularyConfig) -> set[int]:
    """The ids of the pieces of `full` that are kept."""
    counts = Counter[int]()
    for batch in _batches(texts(folder, config)):
        for encoding in full.encode_batch(batch, add_special_tokens=False):
            counts.update(encoding.ids)
    needed_ids = {piece for piece, count in counts.items() if count >= config.least}
    for batch in _batches(words(config)):
        for encoding in full.encode_batch(batch, add_special_tokens=False):
            needed_ids.update(encoding.ids)
    single = {number for number, piece in enumerate(e5.read().pieces) if len(piece.lstrip(SPACE)) <= 1}
    emoji = {number for number, piece in enumerate(e5.read().pieces) if any(sign in emoji_names() for sign in piece)}
    return (needed_ids | single | emoji) - set(range(len(SPECIAL)))


def fit(args: argparse.Namespace) -> None:
    """Writes `weights/mini_vocabulary`."""
    config = load_config("mini_vocabulary", VocabularyConfig, overrides_of(args))
    file = e5.read()
    full = tokenizer([*SPECIAL, *file.pieces[len(SPECIAL) :]], file.scores)
    ids = [*range(len(SPECIAL)), *sorted(needed(full, data_folder(args.data), config))]
    pieces, scores, blocks = [file.pieces[number] for number in ids], file.scores[ids], file.blocks[ids]
    pieces[: len(SPECIAL)] = SPECIAL
    known = {piece.lstrip(SPACE) for piece in pieces}
    new = {sign: name for sign, name in sorted(emoji_names().items()) if sign not in known}
    named = full.encode_batch(list(new.values()), add_special_tokens=False)
    means = np.stack([decode_blocks(file.blocks[encoding.ids]).mean(0) for encoding in named])
    typical = float(np.median([score for piece, score in zip(pieces, scores, strict=True) if piece in emoji_names()]))
    pruned = tokenizer([*pieces, *new], [*scores, *[typical] * len(new)])
    folder = weights.output_folder("mini_vocabulary")
    folder.mkdir(parents=True, exist_ok=True)
    pruned.save(str(folder / "tokenizer.json"), pretty=False)
    weights_folder.write(
        "mini_vocabulary",
        config={
            "kind": "unigram pieces and their embeddings",
            "table": "blocks",
            "longest": MAX_PIECES,
            "sha256": {"tokenizer.json": weights.sha256(folder / "tokenizer.json")},
        },
        metrics={"pieces": len(pieces) + len(new), "emoji that XLM-R has no piece for": len(new)},
        readme=render_card("mini_vocabulary", pieces=len(pieces) + len(new), emoji=len(new), config=config),
        tensors={"blocks": np.concatenate([blocks, encode_blocks(means)])},
    )
    print(json.dumps({"pieces": len(pieces), "emoji": len(new)}))


def _batches(items: Iterable[str], size: int = 4096) -> Iterator[list[str]]:
    batch: list[str] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch
