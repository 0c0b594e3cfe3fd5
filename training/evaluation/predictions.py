"""`python -m training evaluate TASK --save-predictions`: predictions of the verdict and the emotion models, as the page reads them.

Systems write theirs when they are fitted; these models are measured by the app's own code, so that their predictions
come from `evaluate`. The page takes them for the shipped weights' answers to whole rows that were not learned from, so that
nothing else is kept as such. Calibrations and thresholds of their cards become rules (`models/classifiers/heads.py`): Platt scaling
sigmoid(scale * logit + offset) is the rule with that scale and the offset split between no and yes.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models import evaluation_files, weights
from models.classifiers.heads import Head, Question, Rule
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from training.datasets.base import Row

if TYPE_CHECKING:
    from training.evaluation.run import Outcome

FOLDERS = {
    "hate": "hate_cross_attention",
    "harm": "hate_cross_attention",
    "text-emotions": "text_emotions",
    "face-expressions": "face_expressions",
}
TITLES = {
    "hate_cross_attention": "The verdict: hate and harm",
    "text_emotions": "Emotions in words",
    "face_expressions": "Expressions of faces",
}


def check(args: argparse.Namespace) -> None:
    """`BadInput` for what the page would take for something else: half memes, some rows, rows learned from."""
    if args.task not in FOLDERS:
        raise BadInput(
            f"Systems keep the predictions on {args.task} when they are fitted: leave out --save-predictions."
        )
    other = {
        "--modality": args.modality is not None,
        "--captions ocr": args.captions != "given",
        "--limit": args.limit is not None,
        f"--profile {args.profile}": args.profile not in {"auto", "mini"},
    }
    if asked := [option for option, there in other.items() if there]:
        raise BadInput(
            f"--save-predictions saves what the profile mini answers to all rows, each whole: leave out {' and '.join(asked)}, "
            "or --save-predictions."
        )
    data_set(args.data)


def data_set(file: str) -> str:
    """NAME of `NAME.validation.parquet`, by which the page finds the rows again; `BadInput` for a file of another name."""
    name = Path(file).name
    found = re.fullmatch(r"([\w.-]+)\.(train|validation)\.parquet", name)
    if found is None:
        raise BadInput(
            f"{name} does not say which rows it holds: --save-predictions takes a file named like NAME.validation.parquet, "
            "whose NAME the Evaluation page shows."
        )
    if found[2] == "train":
        raise BadInput(
            f"{name} holds rows to learn from, on which metrics are too good: --save-predictions takes a file named like "
            f"{found[1]}.validation.parquet."
        )
    return found[1]


def keep(args: argparse.Namespace, outcome: Outcome, rows: Sequence[Row]) -> None:
    """Adds the predictions of rows that have a label; `BadInput` where none has. `check` comes first."""
    data = data_set(args.data)
    card = weights.card(FOLDERS[args.task])
    head = _head(args.task, card)
    columns = outcome.columns
    known = np.array([value is not None for value in columns["target"]]) & np.array(
        [value is not None for value in columns["probability"]]
    )
    if not known.any():
        raise BadInput(f"{args.data} has no row with a label: there is nothing to keep.")
    chances, target = _chances(args.task, head, columns)
    raw = [rule.before(part[known]) for rule, part in zip(head.rules, chances, strict=True)]
    given = [rule.decide(part[known]) for rule, part in zip(head.rules, chances, strict=True)]
    count = int(known.sum())
    keys = [evaluation_files.row_key(row.text, row.image) for row, here in zip(rows, known, strict=True) if here]
    answers = evaluation_files.PredictionSet(
        head, f"{data}, validation", target[known], np.stack(given, axis=1), raw, np.flatnonzero(known),
        np.ones(count, int), np.full(count, UNKNOWN), np.array(keys, np.uint64),
    )  # fmt: skip
    made_by = {**evaluation_files.read_evaluation(card.folder).get("made_by", {}), args.task: card.identity}
    evaluation_files.add_predictions(card.folder, [answers], title=TITLES[card.name], data=data, made_by=made_by)


def _head(task: str, card: weights.Card) -> Head:
    if task in {"hate", "harm"}:
        no, yes = ("not_hateful", "hateful") if task == "hate" else ("not_harmful", "harmful")
        platt, threshold = card.setting("calibration")[task], float(card.setting("thresholds")[task])
        rule = _rule(threshold, float(platt["scale"]), float(platt["offset"]))
        return Head(task, "binary", (Question(task, (no, yes)),), (rule,))
    labels = list(card.setting("labels"))
    if task == "face-expressions":
        scale = 1 / float(card.setting("temperature"))
        return Head(task, "single", (Question("expression", tuple(labels)),), (Rule(scale),))
    thresholds = card.setting("thresholds")
    questions = tuple(Question(label, (f"not_{label}", label)) for label in labels)
    return Head(task, "multi", questions, tuple(_rule(float(thresholds[label])) for label in labels))


def _rule(threshold: float, scale: float = 1.0, offset: float = 0.0) -> Rule:
    """Yes from `threshold` on, after Platt scaling."""
    half = float(np.log(threshold / (1 - threshold))) / 2
    return Rule(scale, (-offset / 2, offset / 2), (half, -half))


def _chances(task: str, head: Head, columns: dict) -> tuple[list[np.ndarray], np.ndarray]:
    """Calibrated (N, C) a question, and targets [N, questions]."""
    if head.kind == "binary":
        yes = np.asarray(columns["probability"], float)
        target = np.array([UNKNOWN if value is None else int(value) for value in columns["target"]])
        return [np.stack([1 - yes, yes], axis=1)], target[:, None]
    if head.kind == "single":
        classes = head.questions[0].classes
        found = np.stack(
            [np.array([np.nan if v is None else v for v in columns[name]], float) for name in classes], axis=1
        )
        target = np.array([UNKNOWN if value is None else classes.index(value) for value in columns["target"]])
        return [found], target[:, None]
    labels = [question.name for question in head.questions]
    parts = [np.asarray(columns[label], float) for label in labels]
    truth = [[UNKNOWN] * len(labels) if v is None else [int(label in v) for label in labels] for v in columns["target"]]
    return [np.stack([1 - part, part], axis=1) for part in parts], np.array(truth)
