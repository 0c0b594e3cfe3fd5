"""A multitask model before training: its encoders, its heads, and the networks that they make."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

from models.classifiers.heads import Head
from models.fusion import registry as fusions
from training.backbones import registry as backbones
from training.backbones.base import Backbone, BackboneUnavailable, Modality
from training.engine.linear_branch import LinearBranch
from training.multitask.config import EncoderConfig, MultitaskConfig
from training.multitask.model import MultitaskNetwork
from training.tasks import registry as tasks

MEAN_TOKEN_INPUTS = {"mini", "pieces"}  # inputs that are tokens already, so that a linear branch can read their mean


@dataclass(frozen=True)
class ModelBuilder:
    """What the networks of all folds have in common. `measured_with` names each modality's encoder, or its stand-in."""

    config: MultitaskConfig
    heads: tuple[Head, ...]
    image: Backbone | None
    text: Backbone | None
    measured_with: dict[str, str]

    def encoders(self) -> dict[str, Backbone]:
        """The encoders by modality, "image" before "text"."""
        sides = {"image": self.image, "text": self.text}
        return {modality: encoder for modality, encoder in sides.items() if encoder is not None}

    def network(self) -> MultitaskNetwork:
        """A network with fresh fusion and heads; encoders start from their own weights."""
        config, branch = self.config, None
        widths = {modality: encoder.width for modality, encoder in self.encoders().items()}
        fusion = fusions.build(config.fusion.name, widths.get("image"), widths.get("text"), config.fusion.options)
        modules = {modality: copy.deepcopy(encoder.module) for modality, encoder in self.encoders().items()}
        readable = {
            name: widths[name] for name, encoder in self.encoders().items() if encoder.input_kind in MEAN_TOKEN_INPUTS
        }
        if config.linear_branch and readable:
            branch = LinearBranch(readable, sum(head.logits for head in self.heads))
        network = MultitaskNetwork(
            modules.get("image"),
            modules.get("text"),
            fusion,
            self.heads,
            branch,
            align=config.schedule.align_weight > 0,
        )
        if branch is not None and not config.linear_branch.after_training:  # type: ignore[union-attr]
            network.zero_heads()
        return network


def build(config: MultitaskConfig, cache: Path) -> ModelBuilder:
    """The model's encoders, or their fallbacks where they cannot be fetched, and its uncalibrated heads."""
    sides: dict[str, Backbone | None] = {"image": None, "text": None}
    measured_with: dict[str, str] = {}
    if config.image is not None:
        sides["image"], measured_with["image"] = _encoder("image", config.image, cache)
    if config.text is not None:
        sides["text"], measured_with["text"] = _encoder("text", config.text, cache)
    heads = tuple(task.head for name in config.tasks for task in tasks.head_tasks(name))
    return ModelBuilder(config, heads, sides["image"], sides["text"], measured_with)


def _encoder(modality: Modality, config: EncoderConfig, cache: Path) -> tuple[Backbone, str]:
    """The encoder, and its spec or what stands in for it, which is printed: hours of training follow."""
    try:
        encoder, measured_with = backbones.build(modality, config, cache), config.encoder
    except BackboneUnavailable as error:
        if config.fallback is None:
            raise
        print(error)
        encoder = backbones.build(modality, config.fallback, cache)
        how = "in its place" if encoder.pretrained else "from scratch"
        measured_with = f"{config.fallback.encoder} {how} (the recipe's {config.encoder} could not be fetched)"
    print(f"{'Pictures' if modality == 'image' else 'Words'} are measured with {measured_with}.", flush=True)
    return encoder, measured_with
