"""What a system's run leaves: figures, predictions, curves, confusions, config and card; and what of it ships."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch.utilities import rank_zero_only

from models import evaluation_files
from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN
from training.metrics import classification
from training.multitask import card as system_card
from training.multitask import export
from training.multitask.config import SystemRecipe
from training.multitask.data import System
from training.tasks import registry as tasks

if TYPE_CHECKING:
    from training.multitask.train import Trained


def unservable(system: System) -> str:
    """Why the app cannot run this system, "" if it can: its graphs hold no tower of a hub."""
    towers = [
        side.spec.encoder for side in (system.image, system.text) if side is not None and side.input_kind == "hub"
    ]
    return f"with {' and '.join(towers)}, which the app cannot run (it can run mini)" if towers else ""


def figures_of(recipe: SystemRecipe, answers: Sequence[evaluation_files.PredictionSet]) -> dict[str, Any]:
    """`TASK, ROWS` to figures, for each head, and for a task of several heads (Memotion's intensities) over all of them."""
    figures = {f"{one.head.name}, {one.rows}": measure(one) for one in answers}
    for task in recipe.tasks:
        names = [part.name for part in tasks.head_tasks(task)]
        for rows in dict.fromkeys(one.rows for one in answers if len(names) > 1):
            figures[f"{task}, {rows}"] = measure(
                *(one for one in answers if one.rows == rows and one.head.name in names)
            )
    return figures


def measure(*answers: evaluation_files.PredictionSet) -> dict[str, Any]:
    """The figures over rows that answer every question, the plain mean over the questions; then macro-F1 of each."""
    known = np.all([(one.y_true != UNKNOWN).all(axis=1) for one in answers], axis=0)
    if not known.any():
        return {"rows": 0}
    asked = [
        classification.TargetPredictions(one.y_true[known, number], one.probs[number][known], one.y_pred[known, number])
        for one in answers
        for number in range(len(one.head.questions))
    ]
    questions = [question for one in answers for question in one.head.questions]
    figures: dict[str, Any] = {"rows": int(known.sum()), **classification.multi_target(asked)}
    if len(asked) > 1:
        for question, one in zip(questions, asked, strict=True):
            alone = classification.multi_target([one])
            ends = ("", "_low", "_high", "_majority")
            figures |= {f"macro_f1{end}:{question.name}": alone[f"macro_f1{end}"] for end in ends}
    return figures


@rank_zero_only
def write(
    system: System,
    trained: Trained,
    heads: tuple[Head, ...],
    answers: list[evaluation_files.PredictionSet],
    figures: dict[str, Any],
    described: dict[str, Any],
    learned: np.ndarray,
    out: Path,
    limit: int | None = None,
    tried: Sequence[str] = (),
) -> None:
    """The run's folder, then the same into `weights/<name>/` with the networks' graph where the recipe ships them.

    Nothing ships of a run that was `tried` only, or with a tower that the app cannot run. The run is whole before the graph is
    made, which may fail.
    """
    recipe, sets = system.recipe, kept(answers)
    run_only = f"{' and '.join(tried)}, to try things out" if tried else unservable(system)
    card = system_card.text(system, figures, trained)
    _evaluated(out, sets, learned, described)
    evaluation_files.write_json(out, evaluation_files.METRICS, figures)
    config = {**_plain(recipe), "limit": limit}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (out / "README.md").write_text(card.strip() + "\n", encoding="utf-8")
    confusions = {f"{one.head.name}, {one.rows}": confusion(one) for one in answers}
    (out / "confusion.json").write_text(json.dumps(confusions, indent=1) + "\n", encoding="utf-8")
    if recipe.ship and run_only:
        print(f"Trained {run_only}: all of it is in {out}, and weights/{recipe.name} stays as it was.")
    elif recipe.ship:
        graph = export.graph(system, trained.networks)
        folder = export.write(system, heads, graph, figures, card, _plain(recipe))
        _evaluated(folder, sets, learned, described)


def _evaluated(
    folder: Path, sets: dict[str, list[evaluation_files.PredictionSet]], learned: np.ndarray, described: dict[str, Any]
) -> None:
    before = {key: value for key, value in evaluation_files.read_evaluation(folder).items() if key == "ablations"}
    evaluation_files.write_predictions(folder, learned=learned, **sets, **before, **described)


def kept(answers: list[evaluation_files.PredictionSet]) -> dict[str, list[evaluation_files.PredictionSet]]:
    """What `evaluation.write` takes: rows by networks that did not see them, and beside them validation rows by what ships."""
    return {
        "predictions": [one for one in answers if one.rows != evaluation_files.VALIDATION],
        "validation": [one for one in answers if one.rows == evaluation_files.VALIDATION],
    }


def confusion(answers: evaluation_files.PredictionSet) -> dict[str, Any]:
    """For each question rows of true and columns of given classes."""
    found = {}
    for number, question in enumerate(answers.head.questions):
        known = answers.labelled(number)
        size = len(question.classes)
        pairs = answers.y_true[known, number] * size + answers.y_pred[known, number]
        table = np.bincount(pairs, minlength=size * size).reshape(size, size)
        found[question.name] = {"classes": list(question.classes), "true by given": table.tolist()}
    return found


def _plain(recipe: SystemRecipe) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(recipe), default=list))
    return found
