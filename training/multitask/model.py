"""Encoders, fusion, linear branch and heads as one torch module, and its losses by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.classifiers.heads import Head, columns
from models.fusion.sides import State
from training.calibration.decision_rules import split_by_head
from training.engine import losses
from training.engine.linear_branch import LinearBranch
from training.multitask.config import ScheduleConfig

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

    @torch.no_grad()
    def zero_heads(self) -> None:
        """Lets the network begin by adding nothing to its linear branch."""
        for parameter in self.heads.parameters():
            parameter.zero_()

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
        head.name: losses.loss(head, logits[:, where], target, class_weights[head.name], schedule.label_smoothing)
        for head, where, target in zip(heads, columns(heads), split_by_head(heads, batch["target"]), strict=True)
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


def count_parameters(module: nn.Module) -> int:
    """The number of parameters, trained or not."""
    return sum(parameter.numel() for parameter in module.parameters())
