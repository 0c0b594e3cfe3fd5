"""What `configs/NAME.toml` says of a system: data, tasks, encoders, fusion, schedule, ablations."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from models.errors import BadInput, suggest
from training.backbones.base import BackboneSpec
from training.config import FOLDER

WIDE = ("strength", "image", "text", "after", "tasks")  # what [wide] may hold, and each task of [wide.tasks]
WIDE_OF_TASK = ("strength", "image", "text", "third", "last", "verdict")


@dataclass(frozen=True)
class SideRecipe:
    """One side: the encoder's spec, what else `BackboneSpec` takes, and the side to use where that cannot be fetched."""

    encoder: str
    tune: bool = False
    longest: int = 96
    side: int = 224
    pooled: bool = False
    clean: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    fallback: Mapping[str, Any] | None = None

    @property
    def spec(self) -> BackboneSpec:
        """What the backbone is built from."""
        return BackboneSpec(self.encoder, self.tune, self.longest, self.side, self.pooled, self.options)

    @property
    def instead(self) -> SideRecipe | None:
        return None if self.fallback is None else _of(SideRecipe, self.fallback, "fallback")


@dataclass(frozen=True)
class Schedule:
    """How it is trained. Rates are the optimiser's, up for `warmup` of all steps and then in a straight line down.

    `stop_on` is watched on the part that a fold does not see: `loss` or `macro_f1`; after `patience` epochs without a
    better one the fold ends. `held_out`: with one fold, the share of training rows that is not seen.
    `class_weights`: 0 counts rows, 1 classes alike. `drop_side`: how often a row loses its picture, and as often its words.
    `align`: weight of the contrastive loss; `balance`: weight of the loss that keeps all experts in use.
    """

    epochs: int = 10
    batch: int = 32
    rate: float = 5e-4
    encoder_rate: float = 2e-4
    optimizer: str = "adamw"
    weight_decay: float = 0.05
    warmup: float = 0.1
    decay: bool = True
    patience: int = 3
    stop_on: str = "loss"
    folds: int = 5
    held_out: float = 0.2
    class_weights: float = 0.5
    smoothing: float = 0.0
    drop_side: float = 0.1
    align: float = 0.0
    temperature: float = 0.1
    balance: float = 0.0
    keep_best: bool = True
    seed: int = 7

    def __post_init__(self) -> None:
        if self.optimizer not in {"adam", "adamw"}:
            raise ValueError(f"optimizer={self.optimizer!r} is neither adam nor adamw")
        if self.stop_on not in {"loss", "macro_f1"}:
            raise ValueError(f"stop_on={self.stop_on!r} is neither loss nor macro_f1")
        if self.epochs < 1 or self.batch < 2 or self.folds < 1 or not 0 < self.held_out < 1:
            raise ValueError(
                f"epochs={self.epochs}, batch={self.batch}, folds={self.folds}, held_out={self.held_out} do not make a schedule"
            )


@dataclass(frozen=True)
class SystemRecipe:
    """`weights` names the weight of each task's loss (1 where it is not named).

    `ship` says whether the trained networks go into `weights/` or their figures alone; `bits` 8 stores matrices as int8.
    `wide` asks for a linear path beside the network: `strength` of its ridge, the weight of each side's features in it, and
    what is different for single `tasks`; with `after` it is added once the network is trained, for labels that a linear path
    could learn by heart.
    """

    name: str
    title: str
    summary: str
    data: str
    tasks: tuple[str, ...]
    fusion: str
    image: SideRecipe | None = None
    text: SideRecipe | None = None
    fusion_options: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    wide: Mapping[str, Any] = field(default_factory=dict)
    schedule: Schedule = field(default_factory=Schedule)
    ablations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ship: bool = True
    bits: int = 16

    def __post_init__(self) -> None:
        if self.image is None and self.text is None:
            raise BadInput(f"The recipe {self.name} has neither [image] nor [text].")
        if self.bits not in {8, 16}:
            raise BadInput(f"The recipe {self.name} stores weights in 8 or 16 bits, not in {self.bits}.")
        single = self.wide.get("tasks", {})
        _check(self.wide, WIDE, "wide")
        _check(single, self.tasks, "wide.tasks")
        for task, own in single.items():
            _check(own, WIDE_OF_TASK, f"wide.tasks.{task}")
        asks = any("verdict" in own for own in single.values())
        text = self.text and (self.text.instead or self.text)
        if asks and (text is None or text.encoder != "mini"):
            raise BadInput(
                f'The recipe {self.name} asks the verdict in [wide.tasks]: that needs encoder = "mini" in [text], or in its '
                "fallback."
            )

    def ablated(self, name: str) -> SystemRecipe:
        """This recipe with what the ablation changes: `{without = "image"}`, or settings of fusion and schedule."""
        changes = dict(self.ablations[name])
        gone = changes.pop("without", None)
        if gone not in {None, "image", "text"}:
            raise BadInput(f"The ablation {name!r} is without {gone!r}: it can be without image or text.")
        sides = {} if gone is None else {gone: None}
        options = {**self.fusion_options, **changes.pop("fusion", {})}
        schedule = _of(Schedule, _plain(self.schedule) | changes.pop("schedule", {}), f"ablations.{name}.schedule")
        fusion = changes.pop("fusion_name", self.fusion)
        if changes:
            raise BadInput(f"The ablation {name!r} changes {', '.join(changes)}, which no ablation can.")
        return replace(
            self, name=f"{self.name}--{name.replace(' ', '_')}", fusion=fusion, fusion_options=options,
            schedule=schedule, ablations={}, ship=False, **sides,
        )  # fmt: skip


def systems() -> tuple[str, ...]:
    """The names of all recipes that describe a system (the others train what the app's verdict is made of)."""
    return tuple(sorted(file.stem for file in FOLDER.glob("*.toml") if _is_system(file)))


def _is_system(file: Path) -> bool:
    return "tasks" in tomllib.loads(file.read_text(encoding="utf-8"))


def read(name: str, args: argparse.Namespace | None = None, folder: Path = FOLDER) -> SystemRecipe:
    """The recipe of that name, or of that file; `--seed`, `--epochs` and `--folds` take the place of its own."""
    path = Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    if not path.is_file():
        raise BadInput(f"There is no recipe {name!r}.{suggest(name, systems())}")
    try:
        found = parse(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path.name} is not TOML: {error}.") from error
    given = {key: getattr(args, key, None) for key in ("seed", "epochs", "folds")}
    return replace(found, schedule=replace(found.schedule, **{k: v for k, v in given.items() if v is not None}))


def parse(name: str, data: Mapping[str, Any]) -> SystemRecipe:
    """A recipe from its TOML as dicts; `BadInput` names a setting that is not known, and the nearest one."""
    data = dict(data)
    for side in ("image", "text"):
        if side in data:
            data[side] = _of(SideRecipe, data[side], side)
    fusion = dict(data.pop("fusion", {}))
    data |= {"fusion": fusion.pop("name", "concatenation"), "fusion_options": fusion, "name": name}
    data["schedule"] = _of(Schedule, data.get("schedule", {}), "schedule")
    data["tasks"] = tuple(data.get("tasks", ()))
    found: SystemRecipe = _of(SystemRecipe, data, name)
    return found


def _check(values: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in values:
        if key not in known:
            raise BadInput(f"The recipe's part {where} has no setting {key!r}.{suggest(key, known)}")


def _of(kind: type, values: Mapping[str, Any], where: str) -> Any:
    _check(values, [one.name for one in fields(kind)], where)
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"The recipe's part {where} does not fit: {error}.") from error


def _plain(schedule: Schedule) -> dict[str, Any]:
    return {one.name: getattr(schedule, one.name) for one in fields(schedule)}
