"""`python -m training fit NAME`: the folds of a multitask model, its decision rules, its predictions, its folder."""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities import rank_zero_only

from models import evaluation_files
from training.calibration import decision_rules
from training.datasets.base import Row, print_problems
from training.engine import losses
from training.engine.trainer import curve_by_epoch
from training.multitask import data as multitask_data
from training.multitask import export, linear_branch, manifest
from training.multitask.config import MultitaskConfig, load
from training.multitask.data import MultitaskData, MultitaskDataModule
from training.multitask.evaluation import CrossValResult, evaluate
from training.multitask.lit_module import LitMultitask, predict, train_fold
from training.multitask.model import ModelBuilder, MultitaskNetwork, build

SUMMARY = ("rows", "macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority")
MAX_PROBLEMS = 10  # printed; all of them are in the run's folder


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
    summary = {
        name: {key: round(value, 4) for key, value in values.items() if key in SUMMARY}
        for name, values in metrics.items()
        if isinstance(values, dict)
    }
    rank_zero_only(print)(json.dumps(summary, indent=2))


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
    print_problems(data.problems, MAX_PROBLEMS, f": all of them are in {out / evaluation_files.EVALUATION}")
    result = train(builder, data, out, options)
    evaluation = evaluate(builder, data, result)
    seconds = round(time.perf_counter() - started)
    evaluation.metrics.update(trained_on_rows=len(data.training), seconds=seconds)
    export.write_run(builder, data, result, evaluation, out, ship=options.ship)
    return evaluation.metrics


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
