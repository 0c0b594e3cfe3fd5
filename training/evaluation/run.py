"""`python -m training evaluate TASK --data FILE --json OUT`: metrics of the shipped weights, by the app's own code.

What cannot be read does not stop the run and does not vanish from it: the tasks count it (`training/tasks`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.datasets.base import Row
from training.evaluation import multitask, predictions
from training.tasks import registry
from training.tasks.base import AppTask, EvalOptions, EvalResult


def evaluate(args: argparse.Namespace, model: Any = None) -> dict[str, Any]:
    """Reads the file, asks the model, writes `args.json` and `args.predictions`; returns what the JSON holds.

    `model` takes the place of the one that the task loads.
    """
    save = getattr(args, "save_predictions", False)
    if save:
        predictions.check(args)  # first, since predicting may take an hour
    options = EvalOptions(args.modality, args.captions, "mini" if save else args.profile)
    if args.task not in registry.TASKS:  # the name of a multitask model
        return _write_json(args, _evaluate_model(args, options))
    task = registry.TASKS[args.task]
    if isinstance(task, AppTask):
        rows, _ = task.read(args.data, args.limit)
        result = task.predict(rows, options, model)
    else:
        rows, result = multitask.evaluate_task(task, args, options, model)
    if args.predictions:
        Path(args.predictions).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(result.predictions), args.predictions)
    if save:
        predictions.save(args, result, rows)
    return _write_json(args, _report(args.task, args, rows, result))


def _evaluate_model(args: argparse.Namespace, options: EvalOptions) -> dict[str, Any]:
    """Reports on all tasks of a multitask model whose columns the file has."""
    results = multitask.evaluate_model(args, options)
    return {"system": args.task, "tasks": {name: _report(name, args, *result) for name, result in results.items()}}


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


def _write_json(args: argparse.Namespace, report: dict[str, Any]) -> dict[str, Any]:
    Path(args.json).parent.mkdir(parents=True, exist_ok=True)
    Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report
