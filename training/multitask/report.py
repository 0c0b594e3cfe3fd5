"""What a run leaves: metrics, predictions, curves, confusion matrices, configuration and card; and its weights folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from models import evaluation_files
from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN
from training.export.cards import render_card
from training.metrics import classification
from training.multitask import export
from training.multitask.builder import ModelBuilder
from training.multitask.config import MultitaskConfig
from training.multitask.data import MultitaskData
from training.multitask.model import count_parameters
from training.tasks import registry as tasks

if TYPE_CHECKING:
    from training.multitask.train import CrossValResult


@dataclass(frozen=True)
class Evaluation:
    """The predictions of a run, the metrics computed from them, and the rows."""

    predictions: Sequence[evaluation_files.PredictionSet]
    metrics: dict[str, Any]
    data: MultitaskData


def unservable(builder: ModelBuilder) -> str:
    """Why the app cannot run this model, "" if it can: its graphs hold no tower of a hub."""
    encoders = builder.encoders().values()
    towers = [encoder.spec.encoder for encoder in encoders if encoder.input_kind == "hub"]
    return f"with {' and '.join(towers)}, which the app cannot run (it can run mini)" if towers else ""


def metrics_of(config: MultitaskConfig, predictions: Sequence[evaluation_files.PredictionSet]) -> dict[str, Any]:
    """`TASK, SPLIT` to metrics, for each head, and for a task of several heads (Memotion's intensities) over all of them."""
    metrics = {f"{each.head.name}, {each.rows}": measure(each) for each in predictions}
    for task in config.tasks:
        names = [part.name for part in tasks.head_tasks(task)]
        for split in dict.fromkeys(each.rows for each in predictions if len(names) > 1):
            metrics[f"{task}, {split}"] = measure(
                *(each for each in predictions if each.rows == split and each.head.name in names)
            )
    return metrics


def measure(*predictions: evaluation_files.PredictionSet) -> dict[str, Any]:
    """The metrics over rows with a label for every target, the mean over the targets; then macro-F1 of each."""
    known = np.all([(each.y_true != UNKNOWN).all(axis=1) for each in predictions], axis=0)
    if not known.any():
        return {"rows": 0}
    by_target = [
        classification.TargetPredictions(each.y_true[known, column], probs[known], each.y_pred[known, column])
        for each in predictions
        for column, probs in enumerate(each.probs)
    ]
    metrics: dict[str, Any] = {"rows": int(known.sum()), **classification.multi_target(by_target)}
    if len(by_target) > 1:
        targets = [target for each in predictions for target in each.head.questions]
        for target, target_predictions in zip(targets, by_target, strict=True):
            own = classification.multi_target([target_predictions])
            metrics |= {
                f"macro_f1{end}:{target.name}": own[f"macro_f1{end}"] for end in ("", "_low", "_high", "_majority")
            }
    return metrics


@rank_zero_only
def write(
    builder: ModelBuilder,
    result: CrossValResult,
    heads: tuple[Head, ...],
    evaluation: Evaluation,
    out: Path,
    *,
    ship: bool,
) -> None:
    """Writes the run's folder, then, to `ship` it, the same with the networks' graph into `weights/NAME/`.

    A model with an encoder that the app cannot run does not ship. The run is complete before the graph is made, which may fail.
    """
    config, metrics = builder.config, evaluation.metrics
    readme = card(builder, metrics, result)
    _write_evaluation(out, builder, result, evaluation)
    confusions = {f"{each.head.name}, {each.rows}": confusion(each) for each in evaluation.predictions}
    for name, content in (("metrics", metrics), ("config", asdict(config)), ("confusion", confusions)):
        evaluation_files.write_json(out, f"{name}.json", content)
    (out / "README.md").write_text(readme, encoding="utf-8")
    if not ship:
        return
    if reason := unservable(builder):
        print(f"Trained {reason}: all of it is in {out}, and weights/{config.name} stays as it was.")
    else:
        graph = export.graph(builder, result.networks)
        folder = export.write(builder, heads, graph, metrics, readme)
        _write_evaluation(folder, builder, result, evaluation)


def _write_evaluation(folder: Path, builder: ModelBuilder, result: CrossValResult, evaluation: Evaluation) -> None:
    """`evaluation.json` and `predictions.npz`; ablations that the folder has already are kept."""
    config, data = builder.config, evaluation.data
    on_validation = [each for each in evaluation.predictions if each.rows == evaluation_files.VALIDATION]
    others = [each for each in evaluation.predictions if each.rows != evaluation_files.VALIDATION]
    before = {key: value for key, value in evaluation_files.read_evaluation(folder).items() if key == "ablations"}
    evaluation_files.write_predictions(
        folder, others, data.keys(data.training), validation=on_validation, **before,
        title=config.title, summary=config.summary, data=config.data, measured_with=builder.measured_with,
        curves=result.curves, problems=data.problems,
    )  # fmt: skip


def card(builder: ModelBuilder, metrics: dict[str, Any], result: CrossValResult) -> str:
    """The model card in Markdown."""
    return render_card(
        "multitask",
        config=builder.config,
        measured_with=builder.measured_with,
        parameters=count_parameters(result.networks[0]),
        networks=len(result.networks),
        trained_on_rows=metrics["trained_on_rows"],
        tasks={name: values for name, values in metrics.items() if isinstance(values, dict) and "macro_f1" in values},
    )


def confusion(predictions: evaluation_files.PredictionSet) -> dict[str, Any]:
    """The confusion matrix of each target: rows of true and columns of predicted classes."""
    matrices = {}
    for column, target in enumerate(predictions.head.questions):
        known = predictions.labelled(column)
        matrix = np.zeros((len(target.classes),) * 2, int)
        np.add.at(matrix, (predictions.y_true[known, column], predictions.y_pred[known, column]), 1)
        matrices[target.name] = {"classes": list(target.classes), "true by given": matrix.tolist()}
    return matrices
