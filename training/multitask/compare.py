"""`python -m training compare RECIPE…`: trained systems side by side, or a system and its ablations.

Nothing is trained that has been: figures are those that runs wrote (`runs/NAME/metrics.json`, else `weights/NAME/`), where
they were made with the folds, epochs and seed that are asked for now, and learned from the rows in `--data` where that is
given. An ablation, or a system without such a run, is trained first, a try in `runs/NAME--try`; what ships already stays.
An ablation's figures also go into `weights/NAME/evaluation.json`, unless it was only tried out, or on other rows.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models import evaluation_files, weights
from training.multitask.config import SystemRecipe, read

Figures = dict[str, Any]
Keys = dict[tuple[Any, ...], np.ndarray]


def compare(args: argparse.Namespace) -> str:
    """The table as Markdown, a line for each system, task and set of rows; all of it as JSON in `args.json`."""
    found: dict[str, Figures] = {}
    read_keys: Keys = {}
    for name in args.names:
        recipe = read(name, args)
        found[recipe.name] = _of(recipe, args, read_keys)
        if args.ablations:
            ablated = {one: _of(recipe.ablated(one), args, read_keys) for one in recipe.ablations}
            found |= {f"{name}, {one}": figures for one, figures in ablated.items()}
            if not _tried(args) and _learned_from(weights.root() / recipe.name, recipe, args, read_keys):
                keep(recipe.name, ablated)
    if args.json:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        Path(args.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return table(found)


def _tried(args: argparse.Namespace) -> bool:
    """Whether the command tries things out: what it trains is no figure of the system."""
    return any(getattr(args, name, None) is not None for name in ("limit", "folds", "epochs"))


def _of(recipe: SystemRecipe, args: argparse.Namespace, read_keys: Keys) -> Figures:
    """The figures of a run that is there, else of one that is made now."""
    tried, shipped = _tried(args), weights.root() / recipe.name
    out = Path(args.out) / (f"{recipe.name}--try" if tried else recipe.name)
    here = [out] if _like(out, recipe, args.limit) else []
    for folder in here if tried else [*here, shipped]:
        figures = evaluation_files.read_json(folder, evaluation_files.METRICS)
        if figures and _learned_from(folder, recipe, args, read_keys):
            return figures
    from training.multitask import train

    return train.run(replace(recipe, ship=recipe.ship and not tried and not shipped.is_dir()), args.data, out, args)


def _learned_from(folder: Path, recipe: SystemRecipe, args: argparse.Namespace, read_keys: Keys) -> bool:
    """Whether what is in this folder learned from the rows in `args.data`, in any order; where none is given it counts.

    `read_keys`: of the training rows that were read already, since a system and its ablations ask for the same.
    """
    if args.data is None:
        return True
    from training.multitask import data

    which = recipe.data, recipe.tasks, recipe.image is None
    if which not in read_keys:
        rows, part, _, _ = data.chosen(recipe, args.data, limit=args.limit)
        read_keys[which] = np.sort(data.keys([row for row, number in zip(rows, part, strict=True) if number == 0]))
    return np.array_equal(np.sort(evaluation_files.learned_keys(folder)), read_keys[which])


def _like(out: Path, recipe: SystemRecipe, limit: int | None) -> bool:
    """Whether the run in this folder was made as the recipe is trained now, on as many rows."""
    try:
        config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    asked = {name: getattr(recipe.schedule, name) for name in ("folds", "epochs", "seed")}
    return config.get("limit") == limit and asked.items() <= config.get("schedule", {}).items()


def keep(name: str, ablated: dict[str, Figures]) -> None:
    """Ablations beside the figures of the system, where it has been trained."""
    folder = weights.root() / name
    if folder.is_dir():
        ablations = [{"name": variant, "figures": figures} for variant, figures in ablated.items()]
        evaluation_files.update_evaluation(folder, ablations=ablations)


def table(found: dict[str, Figures]) -> str:
    """Sorted by task and rows, then by macro-F1."""
    rows = [
        (part, name, figures)
        for name, every in found.items()
        for part, figures in every.items()
        if isinstance(figures, dict) and "macro_f1" in figures
    ]
    rows.sort(key=lambda row: (row[0], -row[2]["macro_f1"]))
    lines = [
        "| task, rows | system | n | macro-F1 (95% interval) | always the commonest | accuracy |",
        "|---|---|---:|---|---:|---:|",
    ]
    for part, name, figures in rows:
        low, high = figures["macro_f1_low"], figures["macro_f1_high"]
        lines.append(
            f"| {part} | {name} | {figures['rows']:,} | {figures['macro_f1']:.3f} ({low:.3f} to {high:.3f}) "
            f"| {figures['macro_f1_majority']:.3f} | {figures['accuracy']:.3f} |"
        )
    return "\n".join(lines)
