"""`python -m training evaluate TASK` for the tasks that multitask models answer.

Problems of rows in an official file are printed and counted as `rows_not_whole`; predictions of such a file begin with the
column `id`, since some rows may be left out.

Rows that a model was trained on are predicted by the network of the fold that did not see them, and counted as
`out_of_fold`: on the training file itself, `evaluate` is a cross-validation by group. Their classes are those saved by
`fit`, decided by rules from the other folds, so that the metrics are the card's; with one modality, or with captions read
by OCR, rules from all rows decide, which is a little optimistic. Where a model has one network, such rows are counted as
`learned_from`, and its metrics on them mean little.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from models import evaluation_files, weights
from models.classifiers.heads import columns
from models.classifiers.multitask import BATCH_SIZE, MultitaskModel
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from models.ocr.rapid import RapidReader
from training.datasets import registry as datasets
from training.datasets.base import Row, print_problems, require_columns
from training.metrics.classification import Metrics, TargetPredictions, multi_target_by_name
from training.multitask import config
from training.tasks import registry
from training.tasks.base import OFFICIAL_SUFFIXES, EvalOptions, EvalResult, HeadTask, Task
from training.tasks.inputs import batched, image_and_text
from training.tasks.languages import count_by_language, measure_by_language

UNSEEN, LEARNED = -1, -2  # in place of a fold: no network was trained on the row, all were
MAX_PROBLEMS_PRINTED = 5
HUB_PREFIXES = ("hf:", "open_clip:")  # towers that the app cannot run
RUNS = Path("runs")


def evaluate_task(
    task: Task, args: argparse.Namespace, options: EvalOptions, model: MultitaskModel | None = None
) -> tuple[list[Row], EvalResult]:
    """The rows of the file, and what `model`, the one named by `args.model` or else the task's best predicts for them."""
    rows, problems = task.read(args.data, args.limit)
    if not rows:
        raise BadInput(f"{args.data} has no rows{f' that can be used. {problems[0]}' if problems else '.'}")
    if model is None:
        model = load_model(getattr(args, "model", None) or task.model)
    official = Path(args.data).suffix in OFFICIAL_SUFFIXES
    if not official:
        _require_inputs(args.data, model, options)
    print_problems(problems, MAX_PROBLEMS_PRINTED, " rows that are not whole.")
    result = predict(model, task.head_tasks, rows, options)
    result.notes["rows_not_whole"] = len(problems)
    if official:
        result.predictions = {"id": [row.id for row in rows], **result.predictions}
    return rows, result


def evaluate_model(args: argparse.Namespace, options: EvalOptions) -> dict[str, tuple[list[Row], EvalResult]]:
    """As `evaluate_task`, for all tasks of the model named `args.task` whose columns the file has.

    Raises `BadInput` where it has those of none.
    """
    model = load_model(args.task)
    results: dict[str, tuple[list[Row], EvalResult]] = {}
    errors: list[BadInput] = []
    for name, task in registry.TASKS.items():
        if not task.head_tasks or {member.name for member in task.head_tasks} - set(model.tasks):
            continue
        try:
            results[name] = evaluate_task(task, args, options, model)
        except BadInput as error:
            errors.append(error)
    if not results:
        raise errors[0] if errors else BadInput(f"weights/{args.task} answers no task that can be evaluated.")
    return results


def load_model(name: str) -> MultitaskModel:
    """From `weights/`; `BadInput` for a model that is missing and that no checkout would bring."""
    if not (weights.root() / name).is_dir():
        settings, run = config.load(name), RUNS / name
        missing = f"weights/ has no {name}, which answers {' and '.join(settings.tasks)}"
        measured_with = evaluation_files.read_evaluation(run).get("measured_with", {}).values()
        towers = [tower for tower in measured_with if tower.startswith(HUB_PREFIXES)]
        if towers and (run / evaluation_files.METRICS).is_file():
            raise BadInput(
                f"{missing}: it was trained with {' and '.join(towers)}, which the app cannot run, and its figures are in "
                f"{run / evaluation_files.METRICS}."
            )
        if datasets.get(settings.data).on_request:
            raise BadInput(
                f"{missing}: the owners of its rows give them out on request; train it on them with `python -m training fit "
                f"{name} --data DATA`."
            )
    return MultitaskModel.load(name, MiniEncoder())


def _require_inputs(path: str, model: MultitaskModel, options: EvalOptions) -> None:
    """`BadInput` where the file has nothing that the model reads of a row as the options show it."""
    name = model.card.name
    sides = [side for side in ("image", "text") if model.reads(side) and options.modality in {None, side}]
    if not sides:
        raise BadInput(f"{name} does not look at the {options.modality}: leave out --modality {options.modality}.")
    names, needed = pq.read_schema(path).names, ["image"] if options.captions == "ocr" else sides
    if not set(needed) & set(names):
        require_columns(path, names, needed, name)


def predict(model: MultitaskModel, tasks: Sequence[HeadTask], rows: Sequence[Row], options: EvalOptions) -> EvalResult:
    """Predictions for each row, and metrics of each target over the rows that have a label for it."""
    for task in tasks:
        if task.name not in model.tasks:
            raise BadInput(
                f"weights/{model.card.name} does not answer {task.name}: it answers {', '.join(model.tasks)}."
            )
    notes: Counter[str] = Counter()
    encoded = [task.encode(rows) for task in tasks]
    y_true = np.concatenate([numbers for numbers, _ in encoded], axis=1)  # (rows, targets)
    labelled = (y_true != UNKNOWN).any(axis=1)
    for task, (_, problems) in zip(tasks, encoded, strict=True):
        if problems and not labelled.any():
            raise BadInput(f"No row answers {', '.join(task.name for task in tasks)}. {problems[0]}")
        notes["labels_outside_the_set"] += len(problems)
        print_problems(problems, MAX_PROBLEMS_PRINTED, f" labels outside the set of {task.name}.")
    logits, unreadable = _logits(model, rows, options, notes)
    notes["unreadable_pictures"] = len(unreadable)
    print_problems(unreadable, MAX_PROBLEMS_PRINTED, " pictures that cannot be read.")
    targets = [target for task in tasks for target in task.targets]
    probs: list[np.ndarray] = []
    y_pred: list[np.ndarray] = []
    keys = [evaluation_files.row_key(row.text, row.image) for row in rows]
    as_trained = options.modality is None and options.captions == "given"
    for task in tasks:
        task_probs, task_pred, fold = _decide(model, task.name, logits, keys, as_trained=as_trained)
        notes["out_of_fold"], notes["learned_from"] = int((fold >= 0).sum()), int((fold == LEARNED).sum())
        probs += task_probs
        y_pred += task_pred
    predictions: dict[str, list[Any]] = {}
    for number, target in enumerate(targets):
        prefix = "" if len(targets) == 1 else f"{target.name}_"
        predictions[f"{prefix}probability"] = probs[number].max(1).tolist()
        predictions[f"{prefix}label"] = [target.classes[index] for index in y_pred[number]]
        predictions |= {
            f"{prefix}{name}": probs[number][:, index].tolist() for index, name in enumerate(target.classes)
        }
        predictions[f"{prefix}target"] = [None if i == UNKNOWN else target.classes[i] for i in y_true[:, number]]
    result = EvalResult(predictions, {}, notes, {"system": model.card.name}, int(labelled.sum()))

    def measure(numbers: list[int]) -> Metrics:
        measured = {
            target.name: TargetPredictions(y_true[numbers, number], probs[number][numbers], y_pred[number][numbers])
            for number, target in enumerate(targets)
            if (y_true[:, number] != UNKNOWN).any()
        }
        return multi_target_by_name(measured, "macro_f1_{name}{end}")

    if labelled.any():
        result.metrics = measure_by_language(rows, np.flatnonzero(labelled).tolist(), measure)
        result.settings |= count_by_language(rows, np.flatnonzero(labelled).tolist())
    return result


def _decide(
    model: MultitaskModel, task: str, logits: np.ndarray, keys: Sequence[int], *, as_trained: bool
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Probabilities (rows, classes) and class numbers (rows,) for each target, and the fold of each row.

    Rows of a fold are predicted by the network that was not trained on them, others by all networks together. The class
    numbers of the former are those saved by `fit` where the rows are shown `as_trained`, else decided by the saved rules.
    keys: `evaluation_files.row_key` of each row.
    """
    number, folder = model.tasks.index(task), model.card.folder
    head, logits = model.heads[number], logits[:, :, columns(model.heads)[number]]
    probs = head.probabilities(logits)
    y_pred = [rule.decide(prob) for rule, prob in zip(head.rules, probs, strict=True)]
    fold = np.where(np.isin(np.array(keys, np.uint64), evaluation_files.learned_keys(folder)), LEARNED, UNSEEN)
    described = evaluation_files.read_evaluation(folder).get("parts", {}).get(task)
    saved = evaluation_files.read_predictions(folder, task, described["rows"]) if described else None
    if saved is None or len(logits) == 1:
        return probs, y_pred, fold
    index_of = {key: index for index, key in enumerate(saved.key.tolist()) if saved.split[index] == 0}
    rows = [row for row, key in enumerate(keys) if key in index_of]
    if rows:
        saved_rows = [index_of[keys[row]] for row in rows]
        fold[rows] = saved.fold[saved_rows]
        fold_probs = saved.head.probabilities(logits[fold[rows], rows])
        for target, (rule, prob) in enumerate(zip(saved.head.rules, fold_probs, strict=True)):
            probs[target][rows] = prob
            y_pred[target][rows] = saved.y_pred[saved_rows, target] if as_trained else rule.decide(prob)
    return probs, y_pred, fold


def _logits(
    model: MultitaskModel, rows: Sequence[Row], options: EvalOptions, notes: Counter[str]
) -> tuple[np.ndarray, list[str]]:
    """float32 [networks, rows, logits of all heads], and a sentence for each row whose picture cannot be read.

    Only a batch of pictures is decoded at once.
    """
    reader = RapidReader() if options.captions == "ocr" else None
    unreadable: list[str] = []

    def predict(batch: Sequence[Row]) -> np.ndarray:
        shown = [image_and_text(row, options, reader, unreadable) for row in batch]
        notes["without_input"] += sum(image is None and not text.strip() for image, text in shown)
        return model.logits([image for image, _ in shown], [text for _, text in shown]).swapaxes(0, 1)

    return np.stack(batched(iter(rows), predict, len(rows), BATCH_SIZE), axis=1), unreadable
