"""`python -m training fit mini_words`: multilingual-e5-small finetuned to tell hateful sentences from kind and plain ones.

It learns beside that whom a sentence speaks of and what kind of hate it is. Its tokens are what `hate_cross_attention`
attends over. Sources differ in how much of them is hate: while training, the logit of hate is shifted by the log-odds of
its source's rate (Menon et al. 2021, "Long-tail learning via logit adjustment"), so that no language's rate is learned.
"""

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from models.classifiers.targets import KINDS, TARGETS
from training.backbones import sentences
from training.backbones.sentences import Sentences, SentenceSchedule
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.datasets.counterfactuals import LANGUAGES
from training.datasets.counterfactuals import sentences as counterfactual_sentences
from training.datasets.evasions import draw_words, evade, name_emoji
from training.datasets.hate_targets import read_targets

OUTPUTS = ("hate", *TARGETS, *KINDS)
MONITORED_ROWS = 2500  # validation rows of the checks during training


@dataclass(frozen=True)
class MiniWordsConfig(Config):
    """`configs/mini_words.toml`; `weights` say by source and kind how often a row is drawn in an epoch."""

    evaded: float
    drawn: float
    named_emoji: float
    surrounded: float
    others_weight: float
    prior_limit: float
    schedule: SentenceSchedule
    weights: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Row:
    """A labelled sentence: its label (1 = hate), its source and language, how often it is drawn, and where it is known
    whom it speaks of and how: a number for each of `TARGETS` and `KINDS`, NaN for what is unknown."""

    text: str
    label: int
    source: str
    language: str
    weight: float
    others: tuple[float, ...] = (np.nan,) * (len(OUTPUTS) - 1)


def hate_rows(folder: Path, split: str, config: MiniWordsConfig) -> Iterator[Row]:
    """The rows of `hate_text` and `hate_multilingual` that have a weight."""
    for name in ("hate_text", "hate_multilingual"):
        frame = pd.read_parquet(folder / f"{name}.{split}.parquet")
        languages = frame.language if "language" in frame else ["en"] * len(frame)
        columns = (frame.text, frame.label, frame.raw_label, frame.source_set, languages)
        for text, label, kind, source, language in zip(*columns, strict=True):
            weight = config.weights[source].get(simple_kind(source, kind), 0.0)
            yield Row(text, int(label), source, language, weight)


def simple_kind(source: str, kind: str) -> str:
    """Of the sentiments that mlma2019's annotators gave together the one that decides, of others the kind itself."""
    if source != "mlma2019":
        return kind
    return "hateful" if "hateful" in kind else "normal" if kind in ("normal", "fearful_normal") else "offensive"


def counterfactual_rows(split: str) -> list[Row]:
    """Our filled templates; their groups are known."""
    rows = []
    for sentence in counterfactual_sentences(split):
        targets = [float(sentence.target == name) for name in TARGETS] if sentence.target or not sentence.group else []
        if sentence.form == "hostile_to_others":
            targets = [0.0] * len(TARGETS)
        kinds = [0.0 if sentence.label == 0 else np.nan] * len(KINDS)
        others = (*(targets or [np.nan] * len(TARGETS)), *kinds)
        rows.append(
            Row(sentence.text, sentence.label, f"counterfactuals {sentence.language}", sentence.language, 1.0, others)
        )
    return rows


def training_rows(folder: Path, config: MiniWordsConfig) -> list[Row]:
    """All rows as often as they are drawn, some respelled; none is a validation row of `hate_text` or `hate_targets`."""
    rng = random.Random(config.schedule.seed)
    held_out = {text for text, _ in read_targets(folder, "validation")}
    held_out |= set(pd.read_parquet(folder / "hate_text.validation.parquet").text)
    known = {text: others for text, others in read_targets(folder, "train") if text not in held_out}
    rows = list[Row]()
    for row in hate_rows(folder, "train", config):
        if row.text not in held_out:
            times = int(row.weight) + (rng.random() < row.weight % 1)
            rows += [replace(row, others=known[row.text]) if row.text in known else row] * times
    rows += counterfactual_rows("train")
    harmless = {
        language: [row.text for row in rows if (row.label, row.language) == (0, language)] for language in LANGUAGES
    }
    rows = [
        replace(row, text=surround(row.text, harmless[row.language], rng)) if rng.random() < config.surrounded else row
        for row in rows
    ]
    return [replace(row, text=respell(row.text, row.language, config=config, rng=rng)) for row in rows]


def surround(text: str, harmless: Sequence[str], rng: random.Random) -> str:
    """The text between one to three harmless ones: what is hateful stays so in a long post."""
    sentences = rng.sample(harmless, rng.randint(1, 3))
    sentences.insert(rng.randint(0, len(sentences)), text)
    return " ".join(sentences)


def respell(text: str, language: str, *, config: MiniWordsConfig, rng: random.Random) -> str:
    """The text, now and then with emoji for words, with names for emoji, or spelled to evade a filter."""
    if language == "en" and rng.random() < config.drawn:
        text = draw_words(text, rng)
    text = name_emoji(text, rng, config.named_emoji, language)
    return evade(text, rng) if rng.random() < config.evaded else text


def tables(rows: Sequence[Row], config: MiniWordsConfig) -> Sentences:
    """Rows as the tower's training takes them."""
    labels = pd.DataFrame(
        {"source": [f"{row.source} {row.language}" for row in rows], "label": [row.label for row in rows]}
    )
    rate = labels.groupby("source").label.transform("mean").clip(0.01, 0.99).to_numpy()
    offsets = np.zeros((len(rows), len(OUTPUTS)), np.float32)
    offsets[:, 0] = np.log(rate / (1 - rate)).clip(-config.prior_limit, config.prior_limit)
    targets = np.array([(row.label, *row.others) for row in rows], np.float32)
    others = len(OUTPUTS) - 1
    loss_weights = [1.0, *[config.others_weight / others] * others]
    return Sentences([row.text for row in rows], targets, offsets, loss_weights)


def validation_rows(folder: Path, config: MiniWordsConfig) -> list[Row]:
    """The clean validation rows of all sources and the counterfactuals of held-out templates."""
    train = set(pd.read_parquet(folder / "hate_text.train.parquet").text)
    known = {text: others for text, others in read_targets(folder, "validation") if text not in train}
    clean = [
        replace(row, others=known.get(row.text, row.others))
        for row in hate_rows(folder, "validation", config)
        if row.weight >= 0.25
    ]
    return [*clean, *counterfactual_rows("validation")]


def fit(args: argparse.Namespace) -> None:
    """Trains the tower and writes `mini_words.pt` and its validation metrics to `args.out`."""
    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    config = load_config("mini_words", MiniWordsConfig, overrides_of(args))
    train, validation = training_rows(folder, config), validation_rows(folder, config)
    if args.limit:
        train, validation = (
            train[:: max(1, len(train) // args.limit)],
            validation[:: max(1, len(validation) // args.limit)],
        )
    print(f"{len(train):,} training rows, {len(validation):,} validation rows", flush=True)
    sample = random.Random(0).sample(validation, min(len(validation), MONITORED_ROWS))
    module = sentences.fit(
        tables(train, config),
        replace(tables(sample, config), offsets=None),
        schedule=config.schedule,
        folder=out,
        resume=args.resume,
    )
    torch.save(module.state_dict(), out / "mini_words.pt")
    logits = sentences.predict(module, [row.text for row in validation], config.schedule)[:, 0]
    frame = pd.DataFrame({
        "source": [row.source for row in validation], "language": [row.language for row in validation],
        "label": [row.label for row in validation], "logit": logits,
    })  # fmt: skip
    auroc = {
        f"{source} {language}": round(float(roc_auc_score(rows.label, rows.logit)), 4)
        for (source, language), rows in frame.groupby(["source", "language"])
        if rows.label.nunique() == 2
    }
    (out / "validation.json").write_text(json.dumps({"rows": len(train), "auroc": auroc}, indent=2) + "\n")
