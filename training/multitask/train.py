"""`python -m training fit RECIPE`: a system's folds, its calibration and decisions, its figures, its folder and its card."""

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
from training.engine.curves import by_epoch
from training.multitask import data as systems
from training.multitask import linear_branch, manifest, report
from training.multitask import lit_module as fold
from training.multitask.config import SystemRecipe, read
from training.multitask.data import Data, System
from training.multitask.model import Network


@dataclass(frozen=True)
class Trained:
    """Networks of all folds, which answer together; `unseen` rows of `data` with the `logits` of the one that did not see them."""

    networks: list[Network]
    curves: list[list[dict[str, float]]]
    unseen: np.ndarray
    fold: np.ndarray
    logits: np.ndarray


def fit(args: argparse.Namespace) -> None:
    """Trains the recipe `args.name`; checkpoints stay in `args.out`, what is shipped goes into `weights/`.

    With other folds or epochs than the recipe's it is a try, as with `--limit`: nothing is shipped.
    """
    recipe = read(args.name, args)
    out = Path(args.out)
    given, own = recipe.schedule, read(args.name).schedule
    other = [name for name in ("folds", "epochs") if getattr(given, name) != getattr(own, name)]
    found = run(recipe, args.data, out, args, tried=[f"with --{name} {getattr(given, name)}" for name in other])
    told = rank_zero_only(print)
    told(json.dumps({name: _short(figures) for name, figures in found.items() if isinstance(figures, dict)}, indent=2))


def _short(figures: dict[str, Any]) -> dict[str, Any]:
    wanted = ("rows", "macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority")
    return {key: round(figures[key], 4) for key in wanted if key in figures}


def run(
    recipe: SystemRecipe,
    folder: str | None,
    out: Path,
    args: argparse.Namespace | None = None,
    *,
    rows: list[Row] | None = None,
    tried: Sequence[str] = (),
) -> dict[str, Any]:
    """Trains and writes everything; returns the figures as `metrics.json` has them.

    Nothing ships of a run that only tries things out: on `args.limit` rows, or as `tried` says ("with --epochs 1").
    """
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    system = systems.build(recipe, out.parent / "cache")
    limit = getattr(args, "limit", None)
    tried = ["on a few rows", *tried] if limit else tried
    data = systems.load(system, folder, limit=limit, ready=rows)
    for problem in data.problems[:10]:
        print(problem)
    if len(data.problems) > 10:
        print(f"... and {len(data.problems) - 10} more: all of them are in {out / evaluation_files.EVALUATION}")
    trained = train(system, data, out, args)
    heads = ruled(system, data, trained)
    answers = [*out_of_fold(system, data, trained), *validation(system, data, trained, heads)]
    figures = report.figures_of(recipe, answers) | {
        "trained_on_rows": len(data.training),
        "seconds": round(time.perf_counter() - started),
    }
    described = {
        "title": recipe.title,
        "summary": recipe.summary,
        "data": recipe.data,
        "measured_with": system.measured_with,
        "curves": trained.curves,
        "problems": data.problems,
    }
    report.write(system, trained, heads, answers, figures, described, data.learned(), out, limit, tried)
    return figures


def train(system: System, data: Data, out: Path, args: argparse.Namespace | None = None) -> Trained:
    """All folds; with `--resume` those that are done are read, and the one under way goes on from its last epoch.
    `BadInput` where they are of another run than this one.

    Over several devices every process goes through all of this and comes out with the same; the first one alone writes.
    """
    recipe, resume = system.recipe, bool(getattr(args, "resume", False))
    part = systems.folds(recipe, data)
    asked = manifest.described(recipe, system.measured_with, getattr(args, "limit", None), data.identity())
    if resume:
        manifest.check(out, asked)
    if rank_zero_only.rank == 0:
        manifest.begin(out, asked, resume=resume)
    networks, curves, logits = [], [], []
    for number in range(recipe.schedule.folds):
        L.seed_everything(recipe.schedule.seed + number, verbose=False)
        network = system.network()
        L.seed_everything(recipe.schedule.seed + number, verbose=False)  # however much was drawn for the network
        seen, unseen = data.training[part != number], data.training[part == number]
        place, file = out / f"fold{number}", out / f"fold{number}.pt"
        if resume and file.is_file():
            network.load_state_dict(torch.load(file, weights_only=True))
            network.eval()
            curves.append(by_epoch(place / "metrics.csv"))
        else:
            if not recipe.wide.get("after"):
                _fit_wide(system, network, data, seen)
            how = {key: getattr(args, key, None) or "auto" for key in ("devices", "strategy")}
            curves.append(
                fold.train(network, recipe, system.heads, data.prepared, seen, unseen, place, resume=resume, **how)
            )
            if recipe.wide.get("after"):
                _fit_wide(system, network, data, seen)
            if rank_zero_only.rank == 0:
                torch.save(network.state_dict(), file)
        networks.append(network)
        logits.append(fold.predict(network, data.prepared, unseen))
    order = [data.training[part == number] for number in range(recipe.schedule.folds)]
    numbers = np.concatenate([np.full(len(rows), number) for number, rows in enumerate(order)])
    return Trained(networks, curves, np.concatenate(order), numbers, np.concatenate(logits))


def _fit_wide(system: System, network: Network, data: Data, seen: np.ndarray) -> None:
    """The linear path on the rows that the network learns from, before its training or after it."""
    if network.wide is not None:
        weights = {key: value for key, value in system.recipe.wide.items() if key not in {"after", "tasks"}}
        strength, tasks = weights.pop("strength", 100.0), system.recipe.wide.get("tasks", {})
        if system.text is None or system.text.input_kind != "mini":  # the verdict knows no other tower's words
            tasks = {name: {key: one for key, one in own.items() if key != "verdict"} for name, own in tasks.items()}
        linear_branch.fit(
            network.wide, data.prepared, seen, system.heads, strength=strength, weights=weights, tasks=tasks
        )


def ruled(system: System, data: Data, trained: Trained) -> tuple[Head, ...]:
    """The heads with calibration from out-of-fold logits, and decisions that fit the networks answering together."""
    target = decision_rules.split(system.heads, data.prepared.target[trained.unseen])
    together = data.validation if len(data.validation) else data.training
    answers = ensemble(trained.networks, data, together)
    found = []
    for head, where, truth in zip(system.heads, columns(system.heads), target, strict=True):
        fitted = decision_rules.fit(head, trained.logits[:, where], truth)
        found.append(decision_rules.rematched(fitted, answers[:, where], decision_rules.shares(truth, head)))
    return tuple(found)


def ensemble(networks: list[Network], data: Data, rows: np.ndarray) -> np.ndarray:
    """The mean of the networks' logits."""
    return np.mean([fold.predict(network, data.prepared, rows) for network in networks], axis=0)


def out_of_fold(system: System, data: Data, trained: Trained) -> list[evaluation_files.PredictionSet]:
    """Every training row by the network that did not see it, decided by rules from the other folds, or where there is one
    fold from the other fifths of its rows."""
    single = system.recipe.schedule.folds == 1
    apart = systems.fifths(data, trained.unseen, system.recipe.schedule.seed) if single else trained.fold
    heads = decision_rules.nested(system.heads, trained.logits, data.prepared.target[trained.unseen], apart)
    found = []
    for number, (head, where) in enumerate(zip(system.heads, columns(system.heads), strict=True)):
        raw = head.raw(trained.logits[:, where])
        given = [np.zeros(len(trained.unseen), int) for _ in raw]
        for one, ruled_heads in enumerate(heads):
            here = apart == one
            for question, rule in enumerate(ruled_heads[number].rules):
                given[question][here] = rule.decide(rule.calibrate(raw[question][here]))
        shown = decision_rules.fit(
            head,
            trained.logits[:, where],
            decision_rules.split(system.heads, data.prepared.target[trained.unseen])[number],
        )
        how = "held-out share of the training rows" if single else "out of fold"
        found.append(_answers(shown, how, data, trained.unseen, raw, given, trained.fold, number, system))
    return found


def validation(
    system: System, data: Data, trained: Trained, heads: tuple[Head, ...]
) -> list[evaluation_files.PredictionSet]:
    """The validation rows by all networks together; no label of theirs was used for anything."""
    if not len(data.validation):
        return []
    logits = ensemble(trained.networks, data, data.validation)
    found = []
    for number, (head, where) in enumerate(zip(heads, columns(heads), strict=True)):
        raw = head.raw(logits[:, where])
        given = [rule.decide(rule.calibrate(one)) for rule, one in zip(head.rules, raw, strict=True)]
        nobody = np.full(len(data.validation), -1)
        found.append(
            _answers(head, evaluation_files.VALIDATION, data, data.validation, raw, given, nobody, number, system)
        )
    return found


def _answers(
    head: Head,
    how: str,
    data: Data,
    rows: np.ndarray,
    raw: Any,
    given: Any,
    fold: np.ndarray,
    number: int,
    system: System,
) -> evaluation_files.PredictionSet:
    target = decision_rules.split(system.heads, data.prepared.target[rows])[number]
    keys = systems.keys([data.rows[row] for row in rows])
    place = np.array([data.rows[row].row_number for row in rows])
    return evaluation_files.PredictionSet(
        head, how, target, np.stack(given, axis=1), raw, place, data.part[rows], fold, keys
    )
