"""Untrained systems in a `weights/` of tests, written by the code that writes trained ones."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from models import evaluation_files
from models.classifiers.heads import Head, Rule
from tests import weights_for_tests
from tests.built_once import built_once
from training.backbones import mini
from training.metrics import classification
from training.multitask import config, export, model
from training.multitask.config import FusionConfig

NAMES = ("memotion_gmu", "memotion_bilstm", "mental_health_target", "mental_health_stress")
SOURCES = (
    *weights_for_tests.SOURCES, "training/multitask/*.py", "training/backbones/*.py", "training/engine/*.py", "training/tasks/*.py",
    "training/configs/*.toml", "training/metrics/*.py", "models/classifiers/*.py", "models/evaluation_files.py",
)  # fmt: skip


def once() -> Path:
    """`weights/` with tiny towers and these multitask models, for tests that only read it."""
    return built_once("systems", SOURCES, partial(weights_with, names=NAMES))


def weights_with(folder: Path, names: Sequence[str]) -> Path:
    """Fills `folder` with the tiny towers and these multitask models, each exported once for all tests."""
    shutil.copytree(weights_for_tests.once().root, folder, dirs_exist_ok=True)
    for name in names:
        shutil.copytree(built_once(f"system-{name}", SOURCES, partial(_write_alone, name)), folder / name)
    return folder


def _write_alone(name: str, folder: Path) -> None:
    with TemporaryDirectory() as scratch, pytest.MonkeyPatch.context() as patch:
        shelf = Path(scratch) / "weights"
        shutil.copytree(weights_for_tests.once().root, shelf)
        patch.setenv("SUBTEXT_WEIGHTS", str(shelf))
        mini.shipped.cache_clear()
        write(name, Path(scratch) / "cache")
        shutil.copytree(shelf / name, folder, dirs_exist_ok=True)
    mini.shipped.cache_clear()


def write(name: str, cache: Path) -> list[Head]:
    """`weights/<name>/` of that configuration with small random networks, its figures and its predictions; returns its heads."""
    settings = config.load(name)
    fusion = FusionConfig(settings.fusion.name, {**settings.fusion.options, "width": 16})
    settings = replace(settings, fusion=fusion, linear_branch=None)
    if settings.text is not None and settings.text.finetune:
        settings = replace(settings, text=replace(settings.text, finetune=False))
    made = model.build(settings, cache)
    if text := made.encoders.get("text"):
        text.learn_words(["we love the good people", "we love mondays"])
    heads = [replace(head, rules=tuple(_rule(len(q.classes)) for q in head.targets)) for head in made.heads]
    torch.manual_seed(len(name))
    networks = [made.network().eval() for _ in range(2)]
    answers = [drawn(head) for head in heads]
    figures = {f"{predictions.head.name}, out of fold": _figures(predictions) for predictions in answers}
    folder = export.write(made, heads, export.graph(made, networks), figures, f"# {name}")
    curves = [[{"epoch": epoch, "loss": 1 / (1 + epoch), "macro_f1": epoch / 4} for epoch in range(3)]] * 2
    ablations = [{"name": "without experts", "figures": figures}]
    evaluation_files.write_predictions(
        folder, answers, np.zeros(0, np.uint64), title=settings.title, summary=settings.summary, data=settings.data,
        measured_with=made.measured_with, curves=curves, ablations=ablations,
    )  # fmt: skip
    return heads


def _rule(classes: int) -> Rule:
    return Rule(1.3, tuple([0.0] * classes), tuple([0.0] * classes))


def drawn(head: Head, rows: int = 80) -> evaluation_files.PredictionSet:
    """Predictions that are right more often than not."""
    rng = np.random.default_rng(3)
    y_true, uncalibrated, y_pred = [], [], []
    for target, rule in zip(head.targets, head.rules, strict=True):
        size = len(target.classes)
        labels = np.concatenate([np.arange(size), rng.integers(size, size=rows - size)])
        probs = np.full((rows, size), 0.4 / (size - 1))
        probs[np.arange(rows), np.where(rng.random(rows) < 0.8, labels, rng.integers(size, size=rows))] = 0.6
        y_true.append(labels)
        uncalibrated.append(probs)
        y_pred.append(rule.decide(rule.calibrate(probs)))
    places = np.arange(rows)
    return evaluation_files.PredictionSet(
        head, "out of fold", np.stack(y_true, axis=1), np.stack(y_pred, axis=1), uncalibrated, places,
        np.zeros(rows, int), places % 2, places.astype(np.uint64),
    )  # fmt: skip


def _figures(predictions: evaluation_files.PredictionSet) -> dict:
    columns = [
        classification.TargetPredictions(
            predictions.y_true[:, number], predictions.probs[number], predictions.y_pred[:, number]
        )
        for number in range(len(predictions.head.targets))
    ]
    return {"rows": len(predictions.y_true), **classification.multi_target(columns, resamples=50)}
