"""`python -m training fit mini_words`: MiniLM-L6 fine-tuned to tell hateful sentences from kind and plain ones.

Its word tokens are what `hate_cross_attention` attends over.
"""

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from training.backbones import sentences
from training.backbones.sentences import SentenceSchedule
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.datasets.counterfactuals import misspell
from training.datasets.counterfactuals import sentences as counterfactual_sentences

MONITORED_ROWS = 2500  # validation rows of the checks during training


@dataclass(frozen=True)
class MiniWordsConfig(Config):
    """`configs/mini_words.toml`; `weights` say by source and kind how often a row is drawn in an epoch."""

    misspelled_fraction: float
    schedule: SentenceSchedule
    weights: dict[str, dict[str, float]]


def weighted_sentences(folder: Path, split: str, config: MiniWordsConfig) -> Iterator[tuple[str, int, float]]:
    """The text, the label and the weight of each row of `hate_text`."""
    frame = pd.read_parquet(folder / f"hate_text.{split}.parquet")
    for text, label, kind, source in zip(frame.text, frame.label, frame.raw_label, frame.source_set, strict=True):
        yield text, int(label), config.weights[source].get(kind, 0.0)


def training_rows(folder: Path, config: MiniWordsConfig) -> tuple[list[str], np.ndarray]:
    """Sentences drawn by the weights and the counterfactuals, some misspelled: texts and labels [rows, 1]."""
    rng = random.Random(config.schedule.seed)
    rows: list[tuple[str, int]] = []
    for text, label, weight in weighted_sentences(folder, "train", config):
        rows += [(text, label)] * (int(weight) + (rng.random() < weight % 1))
    rows += [(sentence.text, sentence.label) for sentence in counterfactual_sentences("train")]
    texts = [misspell(text, rng) if rng.random() < config.misspelled_fraction else text for text, _ in rows]
    return texts, np.array([[label] for _, label in rows], dtype=np.float32)


def validation_rows(folder: Path) -> pd.DataFrame:
    """`hate_text`'s clean validation rows and the counterfactuals of held-out templates: text, label, source_set."""
    frame = pd.read_parquet(folder / "hate_text.validation.parquet")
    frame = frame[~frame.raw_label.isin(["offensive", "offensive_language"])][["text", "label", "source_set"]]
    counterfactuals = [
        (sentence.text, sentence.label, "counterfactuals") for sentence in counterfactual_sentences("validation")
    ]
    return pd.concat([frame, pd.DataFrame(counterfactuals, columns=list(frame.columns))], ignore_index=True)


def fit(args: argparse.Namespace) -> None:
    """Trains the tower and writes `mini_words.pt` and its validation metrics to `args.out`."""
    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    config = load_config("mini_words", MiniWordsConfig, overrides_of(args))
    texts, labels = training_rows(folder, config)
    validation = validation_rows(folder)
    sample = validation.sample(min(len(validation), MONITORED_ROWS), random_state=0)
    if args.limit:
        texts, labels, validation = texts[: args.limit], labels[: args.limit], validation[: args.limit]
    module = sentences.fit(
        (texts, labels),
        (sample.text.tolist(), sample.label.to_numpy(dtype=np.float32)[:, None]),
        schedule=config.schedule,
        folder=out,
        resume=args.resume,
        bias=torch.logit(torch.tensor(labels.mean(axis=0))),
    )
    logits = sentences.predict(module, validation.text.tolist(), config.schedule)[:, 0]
    auroc = {
        source: round(float(roc_auc_score(rows.label, logits[rows.index])), 4)
        for source, rows in validation.groupby("source_set")
        if rows.label.nunique() == 2
    }
    torch.save(module.state_dict(), out / "mini_words.pt")
    (out / "validation.json").write_text(json.dumps({"rows": len(texts), "auroc": auroc}, indent=2) + "\n")
