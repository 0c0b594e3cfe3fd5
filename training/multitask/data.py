"""A system put together from its recipe: rows read, sides prepared, networks built. Trains nothing yet."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from torch import nn

from models import evaluation_files
from models.classifiers.heads import Head
from models.errors import BadInput
from models.evaluation_files import UNKNOWN
from models.fusion import registry as fusions
from models.tokenizers.words import cleaned
from training.backbones import registry as backbones
from training.backbones.base import Backbone, BackboneUnavailable, TokenStore
from training.datasets import registry as datasets
from training.datasets.base import Row, usable_rows
from training.engine.folds import group_folds, group_holdout, stratified_group_folds
from training.multitask.config import SideRecipe, SystemRecipe
from training.multitask.datamodule import Prepared
from training.multitask.linear_branch import Wide
from training.multitask.model import Network
from training.tasks import registry as tasks


@dataclass(frozen=True)
class Data:
    """All rows of a system, training rows first: `part` is 0 for training and 1 for validation rows."""

    rows: list[Row]
    part: np.ndarray
    prepared: Prepared
    problems: list[str] = field(default_factory=list)

    @property
    def training(self) -> np.ndarray:
        return np.flatnonzero(self.part == 0)

    @property
    def validation(self) -> np.ndarray:
        return np.flatnonzero(self.part == 1)

    def learned(self) -> np.ndarray:
        """`evaluation.key` of all training rows, uint64."""
        return keys([self.rows[row] for row in self.training])

    def identity(self) -> str:
        """Tells training rows apart, and the folds that they fall into: by key, group and answers, in their order."""
        groups = "\n".join(self.rows[row].group for row in self.training)
        parts = (self.learned().tobytes(), groups.encode(), self.prepared.target[self.training].tobytes())
        return sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()


@dataclass(frozen=True)
class System:
    """`measured_with` tells what stood in for an encoder that could not be fetched, by side."""

    recipe: SystemRecipe
    heads: tuple[Head, ...]
    image: Backbone | None
    text: Backbone | None
    measured_with: dict[str, str]

    def network(self) -> Network:
        """A network with fresh fusion and heads; encoders start from their own weights."""
        fusion = fusions.build(
            self.recipe.fusion,
            None if self.image is None else self.image.width,
            None if self.text is None else self.text.width,
            self.recipe.fusion_options,
        )
        image, text = (None if side is None else copy.deepcopy(side.module) for side in (self.image, self.text))
        sides = (("image", self.image), ("text", self.text))
        widths = {
            name: side.width for name, side in sides if side is not None and side.input_kind in {"mini", "pieces"}
        }
        wide = Wide(widths, sum(head.logits for head in self.heads)) if self.recipe.wide and widths else None
        return Network(
            image,
            text,
            fusion,
            self.heads,
            fusion.settings.dropout,
            wide,
            begin_with_wide=not self.recipe.wide.get("after"),
            align=self.recipe.schedule.align > 0,
        )  # type: ignore[union-attr,arg-type]


def build(recipe: SystemRecipe, cache: Path) -> System:
    """The system with its encoders, or with their fallbacks where they cannot be fetched."""
    measured: dict[str, str] = {}
    sides: dict[str, Backbone | None] = {"image": None, "text": None}
    for name, asked in (("image", recipe.image), ("text", recipe.text)):
        if asked is not None:
            sides[name], measured[name] = _encoder(name, asked, cache)
    heads = tuple(task.head for name in recipe.tasks for task in tasks.head_tasks(name))
    return System(recipe, heads, sides["image"], sides["text"], measured)


def _encoder(side: str, asked: SideRecipe, cache: Path) -> tuple[Backbone, str]:
    """The encoder, and what it is: the spec, or what stands in for it. Both are printed: hours of training follow."""
    instead = asked.instead
    try:
        found, measured = backbones.build(side, asked.spec, cache), asked.encoder  # type: ignore[arg-type]
    except BackboneUnavailable as error:
        if instead is None:
            raise
        print(error)
        found = backbones.build(side, instead.spec, cache)  # type: ignore[arg-type]
        how = "in its place" if found.pretrained else "from scratch"
        measured = f"{instead.encoder} {how} (the recipe's {asked.encoder} could not be fetched)"
    print(f"{'Pictures' if side == 'image' else 'Words'} are measured with {measured}.", flush=True)
    return found, measured


def load(
    system: System, folder: str | Path | None, *, limit: int | None = None, ready: Sequence[Row] | None = None
) -> Data:
    """The rows with prepared sides and targets. `ready` rows take the place of those in the folder."""
    rows, part, target, problems = chosen(system.recipe, folder, limit=limit, ready=ready)
    return Data(rows, part, prepare(system, rows, target, training=part == 0), problems)


def chosen(
    recipe: SystemRecipe, folder: str | Path | None, *, limit: int | None = None, ready: Sequence[Row] | None = None
) -> tuple[list[Row], np.ndarray, np.ndarray, list[str]]:
    """The rows that answer any of the recipe's tasks, with the part of each and its targets; and what is wrong with rows."""
    wanted = tuple(task for name in recipe.tasks for task in tasks.head_tasks(name))
    rows: list[Row] = []
    part: list[int] = []
    targets: list[np.ndarray] = []
    problems: list[str] = []
    for number, name in enumerate(("train", "validation")):
        found, strange = datasets.get(recipe.data).load(name, folder) if ready is None else (list(ready), [])
        if ready is not None and number:
            break
        problems += strange
        kept, strange = (found, []) if recipe.image is None else usable_rows(found)
        kept = kept[:limit]
        answers, outside = zip(*(task.encode(kept) for task in wanted), strict=True)
        # a word outside the set is strange to each task that asks for it, and the same row may stand in both parts
        strange = list(dict.fromkeys([*strange, *(one for several in outside for one in several)]))
        problems += [f"{recipe.data}, {name}: {one}" for one in strange]
        rows += kept
        part += [number] * len(kept)
        targets.append(np.concatenate(answers, axis=1))
    target = np.concatenate(targets)
    asked = (target != UNKNOWN).any(axis=1)
    if not asked[np.asarray(part) == 0].any():
        raise BadInput(f"No row of {recipe.data} answers any of {', '.join(recipe.tasks)}.")
    kept_rows = [row for row, here in zip(rows, asked, strict=True) if here]
    return kept_rows, np.asarray(part)[asked], target[asked], problems


def keys(rows: Sequence[Row]) -> np.ndarray:
    """`evaluation.key` of each row, uint64."""
    return np.array([evaluation_files.row_key(row.text, row.image) for row in rows], np.uint64)


def prepare(system: System, rows: Sequence[Row], target: np.ndarray, training: np.ndarray) -> Prepared:
    """Both sides of these rows; what an encoder has to learn from words first, it learns from training rows."""
    asked = system.recipe.text
    texts = [cleaned(row.text) if row.text and asked and asked.clean else row.text for row in rows]
    stores: dict[str, TokenStore | None] = {"image": None, "text": None}
    if system.image is not None:
        stores["image"] = system.image.prepare([row.image for row in rows])
    if system.text is not None:
        system.text.learn_words([text for text, here in zip(texts, training, strict=True) if here])
        stores["text"] = system.text.prepare(texts)
    return Prepared(
        stores["image"],
        stores["text"],
        np.array([row.image is not None for row in rows]),
        np.array([row.text is not None for row in rows]),
        target.astype(np.int64),
        np.array([len(text or "") for text in texts]),
    )


def folds(recipe: SystemRecipe, data: Data) -> np.ndarray:
    """A fold's number for each training row, by group; with one fold -1 marks the rows that it learns from."""
    rows, schedule = data.training, recipe.schedule
    groups = _groups(data, rows)
    if schedule.folds == 1:
        return group_holdout(groups, schedule.held_out, schedule.seed)
    return stratified_group_folds(data.prepared.target[rows][:, 0], groups, schedule.folds, schedule.seed)


def fifths(data: Data, rows: np.ndarray, seed: int) -> np.ndarray:
    """A number from 0 to 4 for each of these rows, near-copies alike: rows for rules, and rows to judge them by."""
    groups = _groups(data, rows)
    if len(np.unique(groups)) == 1:
        groups = np.arange(len(rows))
    return group_folds(groups, 5, np.random.default_rng(seed))


def _groups(data: Data, rows: np.ndarray) -> np.ndarray:
    """The group of each of these rows; a row without one is its own."""
    return np.array([data.rows[row].group or f"row {row}" for row in rows])


def parameters(module: nn.Module) -> int:
    """All of them, trained or not."""
    return sum(p.numel() for p in module.parameters())
