"""A multitask model: encoders, fusion, linear branch and heads as one torch module, and its losses by name."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.classifiers.heads import Head
from models.fusion import registry as fusions
from models.fusion.sides import State
from training.backbones import registry as backbones
from training.backbones.base import Backbone, BackboneUnavailable, Modality
from training.calibration.decision_rules import by_head
from training.engine import losses
from training.engine.linear_branch import LinearBranch
from training.multitask.config import EncoderConfig, MultitaskConfig, ScheduleConfig
from training.tasks import registry as tasks

MEAN_TOKEN_INPUTS = {"mini", "pieces"}  # inputs that are tokens already, so that a linear branch can read their mean
ALIGN_WIDTH = 64  # of the space in which the contrastive loss compares
ALIGNED_PAIRS = (("image", "text"), ("image", "fused"), ("text", "fused"))


class MultitaskNetwork(nn.Module):
    """Inputs of both modalities and their masks to (B, all logits), the heads' side by side.

    A model without one modality gets an input of zeros and an empty mask for it, which nothing reads. `align` adds the
    projections of the contrastive loss, which needs both modalities.
    """

    def __init__(
        self,
        image: nn.Module | None,
        text: nn.Module | None,
        fusion: nn.Module,
        heads: Sequence[Head],
        linear_branch: LinearBranch | None = None,
        *,
        align: bool = True,
    ) -> None:
        super().__init__()
        self.image, self.text, self.fusion, self.linear_branch = image, text, fusion, linear_branch
        width, token_width = int(fusion.fused_width), int(fusion.settings.width)  # type: ignore[arg-type,union-attr]
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(fusion.settings.dropout)  # type: ignore[union-attr,arg-type]
        self.heads = nn.ModuleList(nn.Linear(width, head.logits) for head in heads)
        self.align = nn.ModuleDict()
        if align and image is not None and text is not None:
            for name, width_in in (("image", token_width), ("text", token_width), ("fused", width)):
                self.align[name] = nn.Linear(width_in, ALIGN_WIDTH)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Logits (B, all heads)."""
        return self.logits_and_state(image, image_mask, text, text_mask)[0]

    def logits_and_state(
        self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, State]:
        """Logits (B, all heads) and the fusion's state."""
        branch = 0.0 if self.linear_branch is None else self.linear_branch(image, image_mask, text, text_mask)
        if self.image is not None:
            image, image_mask = self.image(image, image_mask)
        if self.text is not None:
            text, text_mask = self.text(text, text_mask)
        state = self.fusion(image, image_mask, text, text_mask)
        fused = self.dropout(self.norm(state.fused))
        return torch.cat([head(fused) for head in self.heads], dim=-1).float() + branch, state


@dataclass(frozen=True)
class ModelBuilder:
    """What the networks of all folds have in common: configuration, uncalibrated heads, and encoders by modality.

    `measured_with` names each modality's encoder, or its stand-in.
    """

    config: MultitaskConfig
    heads: tuple[Head, ...]
    encoders: dict[Modality, Backbone]
    measured_with: dict[str, str]

    def network(self) -> MultitaskNetwork:
        """A network with fresh fusion and heads; encoders start from their own weights."""
        config, branch = self.config, None
        widths = {modality: encoder.width for modality, encoder in self.encoders.items()}
        fusion = fusions.build(config.fusion.name, widths.get("image"), widths.get("text"), config.fusion.options)
        modules = {modality: copy.deepcopy(encoder.module) for modality, encoder in self.encoders.items()}
        readable = [name for name, encoder in self.encoders.items() if encoder.input_kind in MEAN_TOKEN_INPUTS]
        if config.linear_branch and readable:
            branch = LinearBranch({name: widths[name] for name in readable}, sum(head.logits for head in self.heads))
        sides = modules.get("image"), modules.get("text")
        network = MultitaskNetwork(*sides, fusion, self.heads, branch, align=config.schedule.align_weight > 0)
        if config.linear_branch and branch is not None and not config.linear_branch.after_training:
            for parameter in network.heads.parameters():
                nn.init.zeros_(parameter)  # the network begins by adding nothing to its linear branch
        return network


def build(config: MultitaskConfig, cache: Path) -> ModelBuilder:
    """The model's encoders, or their fallbacks where they cannot be fetched, and its uncalibrated heads."""
    encoders: dict[Modality, Backbone] = {}
    measured_with: dict[str, str] = {}
    sides: tuple[tuple[Modality, EncoderConfig | None], ...] = (("image", config.image), ("text", config.text))
    for modality, spec in sides:
        if spec is not None:
            encoders[modality], measured_with[modality] = _encoder(modality, spec, cache)
    heads = tuple(task.head for name in config.tasks for task in tasks.head_tasks(name))
    return ModelBuilder(config, heads, encoders, measured_with)


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
        measured_with = f"{config.fallback.encoder} {how} (the configuration's {config.encoder} could not be fetched)"
    print(f"{'Pictures' if modality == 'image' else 'Words'} are measured with {measured_with}.", flush=True)
    return encoder, measured_with


def named_losses(
    network: MultitaskNetwork,
    batch: Mapping[str, Tensor],
    heads: Sequence[Head],
    class_weights: Mapping[str, list[Tensor]],
    schedule: ScheduleConfig,
) -> dict[str, Tensor]:
    """The losses of a batch: one a task, and `align` and `balance` where the schedule gives them a weight."""
    logits, state = network.logits_and_state(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"])
    by_name = {
        head.name: losses.loss(head, head_logits, target, class_weights[head.name], schedule.label_smoothing)
        for head, head_logits, target in by_head(heads, logits, batch["target"])
    }
    if schedule.align_weight and state.image is not None and state.text is not None:
        both = batch["image_mask"].any(1) & batch["text_mask"].any(1)
        by_name["align"] = align(network.align, state, both, schedule.temperature)
    if schedule.balance_weight and state.gates is not None:
        by_name["balance"] = balance(state.gates)
    return by_name


def align(projections: nn.ModuleDict, state: State, both: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE between image and text, image and fused, text and fused.

    Each meme's own pair is compared with the other memes of the batch; `both` bool (B,) are the rows with both modalities.
    Without such a row it is 0 and still depends on all it reads: processes that share a step need the same losses.
    """
    states = {"image": state.image, "text": state.text, "fused": state.fused}
    vectors = {
        name: normalize(projections[name](value[both]).float(), dim=-1)
        for name, value in states.items()
        if value is not None
    }
    if not both.any():
        return torch.stack([value.sum() for value in vectors.values()]).sum()  # of nothing
    pairs = [losses.symmetric_info_nce(vectors[left], vectors[right], 1 / temperature) for left, right in ALIGNED_PAIRS]
    return torch.stack(pairs).mean()


def balance(gates: Tensor) -> Tensor:
    """0 where all experts get the same share of the batch, up to experts - 1 (importance loss, Shazeer et al. 2017)."""
    importance = gates.float().mean(0)  # (experts,)
    return importance.var(unbiased=False) / importance.mean().square()
