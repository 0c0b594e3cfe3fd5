"""`python -m training fit text_emotions`: MiniLM-L6 with 28 logits on GoEmotions (Demszky et al. 2020).

Each label's threshold is chosen on the validation rows for its F1; metrics on those same rows are therefore optimistic,
so the card also gives one with thresholds of other rows.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from sklearn.metrics import f1_score
from torch import Tensor

from models import evaluation_files, weights
from models.emotions.text import LABELS
from training.backbones import minilm, sentences
from training.backbones.pretrained import WordsForExport, export_words, quantize
from training.backbones.sentences import MONITOR, Sentences, SentenceSchedule
from training.calibration.thresholds import choose_label_thresholds, cross_fitted_f1
from training.config import Config, load_config, overrides_of
from training.datasets.base import data_folder
from training.engine.trainer import curve_by_check, join_curves
from training.export import weights_folder
from training.export.cards import render_card
from training.metrics import classification

TITLES = {"e5": "multilingual-e5-small", "minilm": "MiniLM-L6"}


@dataclass(frozen=True)
class TextEmotionsConfig(Config):
    """`configs/text_emotions.toml`: the first schedule, and those with which the training continues."""

    schedule: SentenceSchedule
    continued: tuple[SentenceSchedule, ...]


def targets(labels: pd.Series) -> np.ndarray:
    """Lists of names to float32 [rows, 28]; raises `KeyError` for a name that is no label."""
    index = {label: column for column, label in enumerate(LABELS)}
    y_true = np.zeros((len(labels), len(LABELS)), dtype=np.float32)
    for row, names in enumerate(labels):
        y_true[row, [index[name] for name in names]] = 1
    return y_true


def fit(args: argparse.Namespace) -> None:
    """Trains, chooses the thresholds and writes `weights/text_emotions` with its curves; checkpoints stay in `args.out`."""
    folder, out = data_folder(args.data), Path(args.out)
    config = load_config("text_emotions", TextEmotionsConfig, overrides_of(args))
    if config.schedule.tower == "minilm":
        minilm.write_vocabulary()  # if it is not there
    frames = [
        pd.read_parquet(folder / f"goemotions.{split}.parquet")[: args.limit] for split in ("train", "validation")
    ]
    train, validation = (Sentences(frame.text.tolist(), targets(frame.labels)) for frame in frames)
    prior = torch.logit(torch.tensor(train.targets.mean(axis=0)).clamp(1e-3, 1 - 1e-3))
    rounds, modules = [config.schedule, *config.continued], list[sentences.SentenceTower]()
    fit_round = partial(sentences.fit, train, validation, resume=args.resume, bias=prior)
    for number, schedule in enumerate(rounds):
        start = modules[-1] if modules else None
        modules.append(fit_round(schedule=schedule, folder=out / str(number), start=start))
    module = modules[-1]
    if len(modules) > 1:
        module.load_state_dict(average_states(modules[-2].state_dict(), module.state_dict()))
    probs, y_true = expit(sentences.predict(module, validation.texts, rounds[-1])), validation.targets
    thresholds = choose_label_thresholds(probs, y_true)
    metrics = {
        "rows": len(y_true),
        **classification.multi_label(y_true, probs, thresholds.tolist()),
        "macro_f1_cross_fitted": cross_fitted_f1(probs, y_true),
        "macro_f1_at_half": float(f1_score(y_true, probs >= 0.5, average="macro", zero_division=0)),
    }
    epochs, vocabulary = sum(schedule.epochs for schedule in rounds), sentences.VOCABULARIES[config.schedule.tower]
    graph = export_words(WordsForExport(module.tower, module.head))
    weights_path = weights_folder.write(
        "text_emotions",
        config={
            "kind": f"text emotions: {TITLES[config.schedule.tower]} pieces, mean pooling, 28 sigmoids",
            "vocabulary": {vocabulary: weights.card(vocabulary).identity},
            "labels": list(LABELS),
            "thresholds": dict(zip(LABELS, thresholds.tolist(), strict=True)),
        },
        metrics={"validation (thresholds tuned on these rows)": metrics, "trained_on_rows": len(train.texts)},
        readme=render_card(
            "text_emotions", metrics=metrics, rows=len(train.texts), epochs=epochs, tower=config.schedule.tower
        ),
        graph=graph if config.schedule.tower == "minilm" else quantize(graph),
    )
    logs = [out / str(number) / "metrics.csv" for number in range(len(rounds))]
    curve = join_curves([curve_by_check(log, MONITOR) for log in logs if log.is_file()])
    evaluation_files.update_evaluation(weights_path, curves=[curve] if curve else [])


def average_states(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two rounds' weights (Wortsman et al. 2022, "Model soups"); integers are those of `after`."""
    return {key: (before[key] + value) / 2 if value.is_floating_point() else value for key, value in after.items()}
