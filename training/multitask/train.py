"""`python -m training fit NAME`: the folds of a multitask model, its decision rules, its predictions, its folder."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from models import evaluation_files
from models.classifiers.heads import Head, columns
from training.calibration import decision_rules
from training.datasets.base import Row
from training.engine import losses
from training.engine.trainer import curve_by_epoch
from training.multitask import data as multitask_data
from training.multitask import linear_branch, manifest, report
from training.multitask.builder import ModelBuilder, build
from training.multitask.config import MultitaskConfig, load
from training.multitask.data import MultitaskData
from training.multitask.datamodule import MultitaskDataModule
from training.multitask.lit_module import LitMultitask, predict, train_fold
from training.multitask.model import MultitaskNetwork

MAX_PROBLEMS = 10  # printed; all of them are in the run's folder


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
class RunOptions:
    """How a run goes about it: whether it resumes, on how many rows of each split, on which devices."""

    resume: bool = False
    limit: int | None = None
    devices: str = "auto"
    strategy: str = "auto"
    ship: bool = True  # whether the networks are written as a folder of weights


def fit(args: argparse.Namespace) -> None:
    """Trains the model `args.name`; checkpoints stay in `args.out`, the trained weights go into `weights/`."""
    options = RunOptions(args.resume, args.limit, args.devices or "auto", args.strategy or "auto")
    metrics = run(load(args.name, args), args.data, Path(args.out), options)
    summary = {name: _summary(values) for name, values in metrics.items() if isinstance(values, dict)}
    rank_zero_only(print)(json.dumps(summary, indent=2))


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    names = ("rows", "macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority")
    return {name: round(metrics[name], 4) for name in names if name in metrics}


def run(
    config: MultitaskConfig,
    folder: str | None,
    out: Path,
    options: RunOptions = RunOptions(),  # frozen
    *,
    rows: list[Row] | None = None,
) -> dict[str, Any]:
    """Trains, writes everything, and returns the metrics as `metrics.json` has them; `rows` replace those of the folder."""
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    builder = build(config, out.parent / "cache")
    data = multitask_data.load(builder, folder, limit=options.limit, rows=rows)
    for problem in data.problems[:MAX_PROBLEMS]:
        print(problem)
    if len(data.problems) > MAX_PROBLEMS:
        more = len(data.problems) - MAX_PROBLEMS
        print(f"... and {more} more: all of them are in {out / evaluation_files.EVALUATION}")
    result = train(builder, data, out, options)
    heads = fit_decisions(builder, data, result)
    predictions = [*out_of_fold(builder, data, result), *validation(builder, data, result, heads)]
    metrics = report.metrics_of(config, predictions) | {
        "trained_on_rows": len(data.training),
        "seconds": round(time.perf_counter() - started),
    }
    report.write(builder, result, heads, report.Evaluation(predictions, metrics, data), out, ship=options.ship)
    return metrics


def train(builder: ModelBuilder, data: MultitaskData, out: Path, options: RunOptions) -> CrossValResult:
    """Trains all folds. A resumed run reads the folds that are done and continues the one under way.

    Raises `BadInput` if it resumes a run that is not this one. Over several devices every process goes through all of this
    and comes out with the same; the first one alone writes.
    """
    config = builder.config
    fold_of = multitask_data.folds(config.schedule, data)
    description = manifest.describe(config, builder.measured_with, options.limit, data.identity())
    if options.resume:
        manifest.check(out, description)
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]  # Lightning sets it
        manifest.begin(out, description, resume=options.resume)
    networks, curves, rows, logits = [], [], [], []
    for number in range(config.schedule.folds):
        train_rows, held_out_rows = data.training[fold_of != number], data.training[fold_of == number]
        L.seed_everything(config.schedule.seed + number, verbose=False)
        network = builder.network()
        L.seed_everything(config.schedule.seed + number, verbose=False)  # whatever was drawn for the network
        file = out / f"fold{number}.pt"
        if options.resume and file.is_file():
            network.load_state_dict(torch.load(file, weights_only=True))
            curves.append(curve_by_epoch(out / f"fold{number}" / "metrics.csv"))
        else:
            curves.append(_train_network(network, builder, data, (train_rows, held_out_rows), out / file.stem, options))
            if rank_zero_only.rank == 0:  # type: ignore[attr-defined]  # Lightning sets it
                torch.save(network.state_dict(), file)
        networks.append(network.eval())
        rows.append(held_out_rows)
        logits.append(predict(network, data.prepared, held_out_rows))
    fold = np.concatenate([np.full(len(held_out_rows), number) for number, held_out_rows in enumerate(rows)])
    return CrossValResult(networks, curves, np.concatenate(rows), fold, np.concatenate(logits))


def _train_network(
    network: MultitaskNetwork,
    builder: ModelBuilder,
    data: MultitaskData,
    rows: tuple[np.ndarray, np.ndarray],
    folder: Path,
    options: RunOptions,
) -> list[dict[str, float]]:
    """Trains the network in place on the first `rows`, watches the others, and fits its linear branch before or after."""
    train_rows, held_out_rows = rows
    schedule, branch_config = builder.config.schedule, builder.config.linear_branch
    branch = network.linear_branch
    if branch is not None and branch_config is not None and not branch_config.after_training:
        linear_branch.fit(branch, data.prepared, train_rows, builder.heads, branch_config)
    targets = decision_rules.split_by_head(builder.heads, data.prepared.target[train_rows])
    class_weights = {
        head.name: losses.class_weights(target, head, schedule.class_weight_exponent)
        for head, target in zip(builder.heads, targets, strict=True)
    }
    module = LitMultitask(network, builder.config, builder.heads, class_weights)
    datamodule = MultitaskDataModule(data.prepared, train_rows, held_out_rows, schedule)
    curves = train_fold(
        module, datamodule, folder, resume=options.resume, devices=options.devices, strategy=options.strategy
    )
    if branch is not None and branch_config is not None and branch_config.after_training:
        linear_branch.fit(branch, data.prepared, train_rows, builder.heads, branch_config)
    return curves


def ensemble_logits(networks: Sequence[MultitaskNetwork], data: MultitaskData, rows: np.ndarray) -> np.ndarray:
    """The mean of the networks' logits, float32 [rows, all heads]."""
    logits: np.ndarray = np.mean([predict(network, data.prepared, rows) for network in networks], axis=0)
    return logits


def fit_decisions(builder: ModelBuilder, data: MultitaskData, result: CrossValResult) -> tuple[Head, ...]:
    """The heads with calibration from out-of-fold logits, and with offsets that fit the mean of the networks."""
    targets = decision_rules.split_by_head(builder.heads, data.prepared.target[result.rows])
    logits = ensemble_logits(result.networks, data, data.validation if len(data.validation) else data.training)
    heads = []
    for head, where, target in zip(builder.heads, columns(builder.heads), targets, strict=True):
        fitted = decision_rules.fit_rules(head, result.logits[:, where], target)
        heads.append(decision_rules.refit_offsets(fitted, logits[:, where], decision_rules.class_priors(target, head)))
    return tuple(heads)


def out_of_fold(
    builder: ModelBuilder, data: MultitaskData, result: CrossValResult
) -> list[evaluation_files.PredictionSet]:
    """Predictions for the training rows by networks that did not learn from them, a set for each head.

    They are decided by rules from the other folds, or where there is one fold, from the other fifths of its rows.
    """
    single = builder.config.schedule.folds == 1
    split = "held-out share of the training rows" if single else "out of fold"
    rule_fold = multitask_data.fifths(data, result.rows, builder.config.schedule.seed) if single else result.fold
    target = data.prepared.target[result.rows]
    heads_by_fold = decision_rules.cross_fit_rules(builder.heads, result.logits, target, rule_fold)
    sets = []
    for number, (head, where) in enumerate(zip(builder.heads, columns(builder.heads), strict=True)):
        logits = result.logits[:, where]
        probs = head.raw(logits)
        y_pred = [np.zeros(len(logits), int) for _ in probs]
        for fold, heads in enumerate(heads_by_fold):
            rows = rule_fold == fold
            for column, rule in enumerate(heads[number].rules):
                y_pred[column][rows] = rule.decide(rule.calibrate(probs[column][rows]))
        head_target = decision_rules.split_by_head(builder.heads, target)[number]
        fitted = decision_rules.fit_rules(head, logits, head_target)
        sets.append(_prediction_set(fitted, split, data, (result.rows, result.fold), head_target, probs, y_pred))
    return sets


def validation(
    builder: ModelBuilder, data: MultitaskData, result: CrossValResult, heads: tuple[Head, ...]
) -> list[evaluation_files.PredictionSet]:
    """Predictions for the validation rows by the mean of the networks; none of their labels was used for anything."""
    rows = data.validation
    if not len(rows):
        return []
    logits = ensemble_logits(result.networks, data, rows)
    targets = decision_rules.split_by_head(heads, data.prepared.target[rows])
    sets = []
    for head, where, target in zip(heads, columns(heads), targets, strict=True):
        probs = head.raw(logits[:, where])
        y_pred = [rule.decide(rule.calibrate(each)) for rule, each in zip(head.rules, probs, strict=True)]
        no_fold = np.full(len(rows), -1)
        sets.append(_prediction_set(head, evaluation_files.VALIDATION, data, (rows, no_fold), target, probs, y_pred))
    return sets


def _prediction_set(
    head: Head,
    split: str,
    data: MultitaskData,
    rows_and_fold: tuple[np.ndarray, np.ndarray],
    target: np.ndarray,
    probs: Sequence[np.ndarray],
    y_pred: Sequence[np.ndarray],
) -> evaluation_files.PredictionSet:
    rows, fold = rows_and_fold
    row_numbers = np.array([data.rows[row].row_number for row in rows])
    return evaluation_files.PredictionSet(
        head, split, target, np.stack(y_pred, axis=1), probs, row_numbers, data.split[rows], fold, data.keys(rows)
    )
