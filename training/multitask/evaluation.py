"""What a cross-validated model predicts: calibrated heads, predictions for rows that it did not learn from, their metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import evaluation_files
from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN, PredictionSet
from training.calibration import decision_rules
from training.calibration.decision_rules import by_head, fit_rules
from training.metrics.classification import TargetPredictions, multi_target_by_name
from training.multitask import data as multitask_data
from training.multitask.config import MultitaskConfig
from training.multitask.data import MultitaskData
from training.multitask.lit_module import predict
from training.multitask.model import ModelBuilder, MultitaskNetwork
from training.tasks import registry as tasks


@dataclass(frozen=True)
class CrossValResult:
    """The networks of all folds, and their `logits` for the training `rows` that each did not learn from.

    `rows` int [n] are row numbers of the data, `fold` int [n] their folds, `logits` float32 [n, all heads].
    """

    networks: list[MultitaskNetwork]
    curves: list[list[dict[str, float]]]
    rows: np.ndarray
    fold: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """The calibrated heads, the predictions of a run, and the metrics computed from them as `metrics.json` has them."""

    heads: tuple[Head, ...]
    predictions: list[PredictionSet]
    metrics: dict[str, Any]


def evaluate(builder: ModelBuilder, data: MultitaskData, result: CrossValResult) -> Evaluation:
    """Predictions for training rows that a network did not learn from, and for validation rows."""
    heads = fit_decisions(builder, data, result)
    predictions = [*out_of_fold(builder, data, result), *validation(data, result, heads)]
    return Evaluation(heads, predictions, metrics_of(builder.config, predictions))


def ensemble_logits(networks: Sequence[MultitaskNetwork], data: MultitaskData, rows: np.ndarray) -> np.ndarray:
    """The mean of the networks' logits, float32 [rows, all heads]."""
    return np.asarray(np.mean([predict(network, data.prepared, rows) for network in networks], axis=0))


def fit_decisions(builder: ModelBuilder, data: MultitaskData, result: CrossValResult) -> tuple[Head, ...]:
    """The heads with calibration from out-of-fold logits, and with offsets that fit the mean of the networks."""
    targets = data.prepared.target[result.rows]
    rows = data.validation if len(data.validation) else data.training
    logits = ensemble_logits(result.networks, data, rows)
    fitted = [fit_rules(*each) for each in by_head(builder.heads, result.logits, targets)]
    known = decision_rules.split_by_head(builder.heads, data.prepared.target[rows] != UNKNOWN)
    return tuple(
        decision_rules.refit_offsets(head, head_logits, decision_rules.class_priors(target, head), head_known)
        for (head, head_logits, target), head_known in zip(by_head(fitted, logits, targets), known, strict=True)
    )


def out_of_fold(builder: ModelBuilder, data: MultitaskData, result: CrossValResult) -> list[PredictionSet]:
    """Predictions for the training rows by networks that did not learn from them, a set for each head.

    They are decided by rules from the other folds, or where there is one fold, from the other fifths of its rows.
    """
    single = builder.config.schedule.folds == 1
    split = "held-out share of the training rows" if single else "out of fold"
    rule_fold = multitask_data.fifths(data, result.rows, builder.config.schedule.seed) if single else result.fold
    target = data.prepared.target[result.rows]
    heads_by_fold = decision_rules.cross_fit_rules(builder.heads, result.logits, target, rule_fold)
    fitted = [fit_rules(*each) for each in by_head(builder.heads, result.logits, target)]
    sets = _prediction_sets(fitted, split, data, result.rows, result.fold, result.logits)
    for number, predictions in enumerate(sets):
        for fold, heads in enumerate(heads_by_fold):
            rows = rule_fold == fold
            for column, rule in enumerate(heads[number].rules):
                probs = rule.calibrate(predictions.uncalibrated_probs[column][rows])
                predictions.y_pred[rows, column] = rule.decide(probs)
    return sets


def validation(data: MultitaskData, result: CrossValResult, heads: Sequence[Head]) -> list[PredictionSet]:
    """Predictions for the validation rows by the mean of the networks; none of their labels was used for anything."""
    rows = data.validation
    if not len(rows):
        return []
    logits = ensemble_logits(result.networks, data, rows)
    return _prediction_sets(heads, evaluation_files.VALIDATION, data, rows, np.full(len(rows), -1), logits)


def _prediction_sets(
    heads: Sequence[Head], split: str, data: MultitaskData, rows: np.ndarray, fold: np.ndarray, logits: np.ndarray
) -> list[PredictionSet]:
    """The predictions of each head by its own rules, from logits [rows, all heads]."""
    row_numbers = np.array([data.rows[row].row_number for row in rows])
    sets = []
    for head, head_logits, target in by_head(heads, logits, data.prepared.target[rows]):
        probs = head.uncalibrated_probs(head_logits)
        y_pred = [rule.decide(rule.calibrate(each)) for rule, each in zip(head.rules, probs, strict=True)]
        file_columns = row_numbers, data.split[rows], fold, data.keys(rows)
        sets.append(PredictionSet(head, split, target, np.stack(y_pred, axis=1), probs, *file_columns))
    return sets


def metrics_of(config: MultitaskConfig, predictions: Sequence[PredictionSet]) -> dict[str, Any]:
    """`TASK, SPLIT` to metrics, for each head, and for a task of several heads (Memotion's intensities) over all of them."""
    metrics = {f"{each.head.name}, {each.rows}": measure(each) for each in predictions}
    for task in config.tasks:
        names = [part.name for part in tasks.head_tasks(task)]
        for split in dict.fromkeys(each.rows for each in predictions if len(names) > 1):
            members = [each for each in predictions if each.rows == split and each.head.name in names]
            metrics[f"{task}, {split}"] = measure(*members)
    return metrics


def measure(*predictions: PredictionSet) -> dict[str, Any]:
    """The metrics, the mean over the targets, each over the rows that have its label; then macro-F1 of each.

    `rows` have a label of any target. A target without a label is left out.
    """
    known = np.any([(each.y_true != UNKNOWN).any(axis=1) for each in predictions], axis=0)
    by_target = {
        target.name: TargetPredictions(each.y_true[known, column], probs[known], each.y_pred[known, column])
        for each in predictions
        for column, (target, probs) in enumerate(zip(each.head.targets, each.probs, strict=True))
        if each.labelled(column).any()
    }
    if not by_target:
        return {"rows": 0}
    return {"rows": int(known.sum()), **multi_target_by_name(by_target, "macro_f1{end}:{name}")}


def confusion(predictions: PredictionSet) -> dict[str, Any]:
    """The confusion matrix of each target: rows of true and columns of predicted classes."""
    matrices = {}
    for column, target in enumerate(predictions.head.targets):
        known = predictions.labelled(column)
        matrix = np.zeros((len(target.classes),) * 2, int)
        np.add.at(matrix, (predictions.y_true[known, column], predictions.y_pred[known, column]), 1)
        matrices[target.name] = {"classes": list(target.classes), "true by given": matrix.tolist()}
    return matrices
