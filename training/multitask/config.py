"""The configuration of a multitask model: data, tasks, encoders, fusion, schedule, ablations."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.errors import BadInput
from training.backbones.base import BackboneSpec
from training.config import FOLDER, Config, load_config, overrides_of, parse_config


@dataclass(frozen=True)
class EncoderConfig(BackboneSpec):
    """The encoder of one modality, whether its texts are cleaned (lower case, no special characters), and its fallback.

    The fallback is used where the encoder cannot be fetched.
    """

    clean: bool = False
    fallback: EncoderConfig | None = None


@dataclass(frozen=True)
class FusionConfig(Config):
    """A fusion of `models/fusion/registry.py` and its settings."""

    name: str = "concatenation"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LinearBranchConfig(Config):
    """The linear branch beside the network: ridge regression with penalty `alpha` on the mean tokens.

    Features of a modality are multiplied by its scale: the larger, the less they are shrunk. A branch that could learn the
    labels by heart is fitted and added `after_training`.
    """

    alpha: float = 100.0
    image_scale: float = 1.0
    text_scale: float = 1.0
    after_training: bool = False


@dataclass(frozen=True)
class ScheduleConfig(Config):
    """How the networks are trained.

    The learning rates rise for `warmup_fraction` of all steps and then fall linearly to 0 if `lr_decay`. A fold ends after
    `patience` epochs without a better `monitor` on its held-out rows. With one fold, `holdout_fraction` of the training
    rows is held out. `class_weight_exponent` 0 gives all rows the same weight, 1 all classes. `modality_dropout` is how
    often a row loses its image, and as often its text. `align_weight` is the weight of the contrastive loss at its
    `temperature`, `balance_weight` that of the loss that keeps all experts in use. Without `keep_best`, the last epoch counts.
    """

    epochs: int = 10
    batch_size: int = 32
    lr: float = 5e-4
    encoder_lr: float = 2e-4
    optimizer: Literal["adam", "adamw"] = "adamw"
    weight_decay: float = 0.05
    warmup_fraction: float = 0.1
    lr_decay: bool = True
    patience: int = 3
    monitor: Literal["loss", "macro_f1"] = "loss"
    folds: int = 5
    holdout_fraction: float = 0.2
    class_weight_exponent: float = 0.5
    label_smoothing: float = 0.0
    modality_dropout: float = 0.1
    align_weight: float = 0.0
    temperature: float = 0.1
    balance_weight: float = 0.0
    keep_best: bool = True
    seed: int = 7

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.folds < 1 or not 0 < self.holdout_fraction < 1:
            raise ValueError(
                f"epochs={self.epochs}, batch_size={self.batch_size}, folds={self.folds}, "
                f"holdout_fraction={self.holdout_fraction} do not make a schedule"
            )


@dataclass(frozen=True)
class MultitaskConfig(Config):
    """`configs/NAME.toml` of a multitask model.

    `loss_weights` are by task, 1 where a task is not named; `bits` 8 stores matrices as int8.
    """

    name: str
    title: str
    summary: str
    data: str
    tasks: tuple[str, ...]
    image: EncoderConfig | None = None
    text: EncoderConfig | None = None
    fusion: FusionConfig = field(default_factory=FusionConfig)
    linear_branch: LinearBranchConfig | None = None
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    ablations: Mapping[str, Any] = field(default_factory=dict)
    bits: int = 16

    def __post_init__(self) -> None:
        if self.image is None and self.text is None:
            raise BadInput(f"The configuration {self.name} has neither [image] nor [text].")
        if self.bits not in {8, 16}:
            raise BadInput(f"The configuration {self.name} stores weights in 8 or 16 bits, not in {self.bits}.")

    def ablated(self, name: str) -> MultitaskConfig:
        """This configuration with the changes of the ablation: any settings, or `without = "image"` or `"text"`."""
        changes = dict(self.ablations[name])
        modality = changes.pop("without", None)
        if modality not in {None, "image", "text"}:
            raise BadInput(f"The ablation {name!r} is without {modality!r}: it can be without image or text.")
        removed = {} if modality is None else {modality: None}
        own = {"name": f"{self.name}--{name.replace(' ', '_')}", "ablations": {}}
        values = _merged(asdict(self), changes) | removed | own
        return parse_config(values, MultitaskConfig, f"{self.name}.ablations.{name}")


def load(name: str, args: argparse.Namespace | None = None, folder: Path = FOLDER) -> MultitaskConfig:
    """The configuration of that name with the command line's `--seed`, `--epochs` and `--folds`."""
    return load_config(name, MultitaskConfig, overrides_of(args) if args else None, folder=folder)


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the changes, table by table."""
    nested = {
        key: _merged(values[key], change)
        for key, change in changes.items()
        if isinstance(change, Mapping) and isinstance(values.get(key), Mapping)
    }
    return {**values, **changes, **nested}
