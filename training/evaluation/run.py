"""`python -m training evaluate TASK --data FILE --json OUT`: metrics of the shipped weights, by the app's own code.

What cannot be read does not stop the run and does not vanish from it: the tasks count it (`training/tasks`).

`--save-predictions` saves predictions of the verdict and the emotion models for the Evaluation page. Multitask models save
theirs when they are fitted; these models are measured by the app's own code. The page shows them as the shipped weights'
predictions for whole rows that were not trained on, so that nothing else is saved.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import evaluation_files, weights
from models.classifiers.heads import Head
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from training.datasets.base import Row
from training.evaluation import multitask
from training.tasks import registry
from training.tasks.base import AppTask, EvalOptions, EvalResult


def evaluate(args: argparse.Namespace, model: Any = None) -> dict[str, Any]:
    """Reads the file, asks the model, writes `args.json` and `args.predictions`; returns what the JSON holds.

    `model` takes the place of the one that the task loads. A task of a multitask model's name is all of its tasks whose
    columns the file has.
    """
    save = getattr(args, "save_predictions", False)
    if save:
        check_saving(args)  # first, since predicting may take an hour
    options = EvalOptions(args.modality, args.captions, "mini" if save else args.profile)
    task = registry.TASKS.get(args.task)
    if task is None:
        results = multitask.evaluate_model(args, options)
        report = {
            "system": args.task,
            "tasks": {name: _report(name, args, *result) for name, result in results.items()},
        }
    else:
        if isinstance(task, AppTask):
            rows, _ = task.read(args.data, args.limit)
            result = task.predict(rows, options, model)
        else:
            rows, result = multitask.evaluate_task(task, args, options, model)
        if args.predictions:
            Path(args.predictions).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(result.predictions), args.predictions)
        if save:
            save_predictions(args, result, rows)
        report = _report(args.task, args, rows, result)
    Path(args.json).parent.mkdir(parents=True, exist_ok=True)
    Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _report(task: str, args: argparse.Namespace, rows: Sequence[Row], result: EvalResult) -> dict[str, Any]:
    """The options, the rows and what was odd about them, and the metrics."""
    labelled = sum(row.label is not None for row in rows) if result.labelled is None else result.labelled
    return {
        "task": task,
        "data": Path(args.data).name,
        "modality": args.modality,
        "captions": args.captions,
        "rows": len(rows),
        "labelled": labelled,
        **result.settings,
        **{name: count for name, count in result.notes.items() if count},
        "metrics": result.metrics,
    }


def check_saving(args: argparse.Namespace) -> None:
    """`BadInput` for what the page would take for something else: one modality, some rows, training rows."""
    _saved_task(args.task)
    unusual = {
        "--modality": args.modality is not None,
        "--captions ocr": args.captions != "given",
        "--limit": args.limit is not None,
        f"--profile {args.profile}": args.profile not in {"auto", "mini"},
    }
    if given := [option for option, is_given in unusual.items() if is_given]:
        raise BadInput(
            "--save-predictions saves what the profile mini predicts for whole rows and all of them: leave out "
            f"{' and '.join(given)}, or --save-predictions."
        )
    dataset_name(args.data)


def _saved_task(name: str) -> AppTask:
    task = registry.TASKS.get(name)
    if not isinstance(task, AppTask) or task.head is None:
        raise BadInput(f"Predictions for {name} are saved when its model is fitted: leave out --save-predictions.")
    return task


def dataset_name(file: str) -> str:
    """NAME of `NAME.validation.parquet`, by which the page finds the rows; `BadInput` for a file of another name."""
    name = Path(file).name
    match = re.fullmatch(r"([\w.-]+)\.(train|validation)\.parquet", name)
    if match is None:
        raise BadInput(
            f"{name} does not say which rows it holds: --save-predictions takes a file named like NAME.validation.parquet, so "
            "that the Evaluation page can name them."
        )
    if match[2] == "train":
        raise BadInput(
            f"{name} holds rows to learn from, on which every figure looks better than it is: --save-predictions takes a file "
            f"named like {match[1]}.validation.parquet."
        )
    return match[1]


def save_predictions(args: argparse.Namespace, result: EvalResult, rows: Sequence[Row]) -> None:
    """Adds the predictions of rows that have a label; `BadInput` where none has. Call `check_saving` first."""
    task, data = _saved_task(args.task), dataset_name(args.data)
    card = weights.card(task.model)
    head = task.head(card)  # type: ignore[misc]  # not None, as `_saved_task` checks
    labelled = np.array([
        target is not None and prob is not None
        for target, prob in zip(result.predictions["target"], result.predictions["probability"], strict=True)
    ])  # fmt: skip
    if not labelled.any():
        raise BadInput(f"{args.data} has no row with a label: there is nothing to save.")
    probs, y_true = _probs_and_labels(head, result.predictions)
    probs = [prob[labelled] for prob in probs]
    numbers = np.flatnonzero(labelled)
    predictions = evaluation_files.PredictionSet(
        head=head,
        rows=f"{data}, validation",
        y_true=y_true[labelled],
        y_pred=np.stack([rule.decide(prob) for rule, prob in zip(head.rules, probs, strict=True)], axis=1),
        uncalibrated_probs=[rule.uncalibrate(prob) for rule, prob in zip(head.rules, probs, strict=True)],
        row=numbers,
        split=np.ones(len(numbers), int),
        fold=np.full(len(numbers), UNKNOWN),
        key=np.array([evaluation_files.row_key(rows[n].text, rows[n].image) for n in numbers.tolist()], np.uint64),
    )
    made_by = {**evaluation_files.read_evaluation(card.folder).get("made_by", {}), args.task: card.identity}
    evaluation_files.add_predictions(card.folder, [predictions], title=task.model_title, data=data, made_by=made_by)


def _probs_and_labels(head: Head, predictions: dict[str, list[Any]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Calibrated probabilities (rows, classes) for each target, and class numbers [rows, targets]."""
    labels, names = predictions["target"], [target.name for target in head.targets]
    if head.kind == "single":
        classes = head.targets[0].classes
        probs = np.array([predictions[name] for name in classes], float).T  # None becomes NaN
        return [probs], np.array([[UNKNOWN if label is None else classes.index(label)] for label in labels])
    if head.kind == "binary":
        yes, y_true = [predictions["probability"]], [[UNKNOWN if label is None else int(label)] for label in labels]
    else:
        yes = [predictions[name] for name in names]
        y_true = [
            [UNKNOWN] * len(names) if label is None else [int(name in label) for name in names] for label in labels
        ]
    return [np.stack([1 - prob, prob], axis=1) for prob in np.array(yes, float)], np.array(y_true)
