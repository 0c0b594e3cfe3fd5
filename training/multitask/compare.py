"""`python -m training compare NAME…`: trained multitask models side by side, or a model and its ablations.

Metrics are read from `runs/NAME/` or `weights/NAME/` where a run with the same configuration, and with the rows in `--data`
where that is given, left them. Otherwise the model is trained first; weights that ship already stay. With `--limit`,
`--folds` or `--epochs` all of it is a dry run in `runs/NAME--dry-run`. The metrics of ablations also go into
`weights/NAME/evaluation.json`, unless in a dry run or on other rows.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from models import evaluation_files, weights
from training.multitask import data, manifest, train
from training.multitask.config import MultitaskConfig, load

Metrics = dict[str, Any]
Keys = dict[tuple[Any, ...], np.ndarray]
"""Of the training rows, by what they depend on: a model and its ablations share them."""


def compare(args: argparse.Namespace) -> str:
    """The table as Markdown, a line for each model, task and split; all of it as JSON in `args.json`."""
    keys: Keys = {}
    metrics: dict[str, Metrics] = {}
    for name in args.names:
        config = load(name, args)
        metrics[name] = _metrics_of(config, args, keys, ship=not weights.folder(name).is_dir())
        if args.ablations:
            ablations = {each: _metrics_of(config.ablated(each), args, keys) for each in config.ablations}
            metrics |= {f"{name}, {ablation}": values for ablation, values in ablations.items()}
            folder = weights.folder(name)
            if folder.is_dir() and not _is_dry_run(args) and _same_rows(folder, config, args, keys):
                named = [{"name": ablation, "figures": values} for ablation, values in ablations.items()]
                evaluation_files.update_evaluation(folder, ablations=named)
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    return table(metrics)


def _is_dry_run(args: argparse.Namespace) -> bool:
    return any((args.limit, args.folds, args.epochs))


def _metrics_of(config: MultitaskConfig, args: argparse.Namespace, keys: Keys, *, ship: bool = False) -> Metrics:
    """The metrics of a run that is there, else of one that is made now."""
    dry_run = _is_dry_run(args)
    out = Path(args.out) / (f"{config.name}--dry-run" if dry_run else config.name)
    run = manifest.read(out)
    same_run = run.get("config") == manifest.trained_settings(config) and run.get("limit") == args.limit
    for folder in [out] * same_run + [weights.folder(config.name)] * (not dry_run):
        metrics = evaluation_files.read_json(folder, evaluation_files.METRICS)
        if metrics and _same_rows(folder, config, args, keys):
            return metrics
    return train.run(config, args.data, out, train.RunOptions(limit=args.limit, ship=ship and not dry_run))


def _same_rows(folder: Path, config: MultitaskConfig, args: argparse.Namespace, keys: Keys) -> bool:
    """Whether what is in this folder learned from the training rows in `args.data`, in any order, or none is given."""
    if args.data is None:
        return True
    depends_on = config.data, config.tasks, config.image is None
    if depends_on not in keys:
        rows = data.read_rows(config, args.data, limit=args.limit)
        keys[depends_on] = np.sort(rows.keys(rows.training))
    return np.array_equal(np.sort(evaluation_files.learned_keys(folder)), keys[depends_on])


def table(metrics_by_model: dict[str, Metrics]) -> str:
    """Sorted by task and split, then by macro-F1."""
    rows = [
        (split, name, metrics)
        for name, by_split in metrics_by_model.items()
        for split, metrics in by_split.items()
        if isinstance(metrics, dict) and "macro_f1" in metrics
    ]
    rows.sort(key=lambda row: (row[0], -row[2]["macro_f1"]))
    lines = [
        "| task, rows | model | n | macro-F1 (95% interval) | majority baseline | accuracy |",
        "|---|---|---:|---|---:|---:|",
    ]
    lines += [
        f"| {split} | {name} | {metrics['rows']:,} | {evaluation_files.metric_cell(metrics, 'macro_f1')} "
        f"| {metrics['macro_f1_majority']:.3f} | {metrics['accuracy']:.3f} |"
        for split, name, metrics in rows
    ]
    return "\n".join(lines)
