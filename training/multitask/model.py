"""Encoders, fusion and heads as one torch module, and its losses by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.classifiers.heads import Head, columns
from models.fusion.sides import State
from training.engine import losses
from training.multitask.config import Schedule

ALIGNED = 64  # width of the space in which the contrastive loss compares


class Network(nn.Module):
    """Inputs of both sides and their masks to (B, all logits), the heads' side by side.

    A system without one side gets an input of zeros and an empty mask for it, which nothing reads. `align` says whether
    the contrastive loss is asked for; it needs both sides.
    """

    def __init__(
        self,
        image: nn.Module | None,
        text: nn.Module | None,
        fusion: nn.Module,
        heads: Sequence[Head],
        dropout: float,
        wide: nn.Module | None = None,
        *,
        begin_with_wide: bool = True,
        align: bool = True,
    ) -> None:
        super().__init__()
        self.image, self.text, self.fusion = image, text, fusion
        width = int(fusion.fused_width)  # type: ignore[arg-type]
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        self.heads = nn.ModuleList(nn.Linear(width, head.logits) for head in heads)
        self.wide = wide
        if wide is not None and begin_with_wide:  # the network adds to the linear path, and begins by adding nothing
            for head in self.heads:
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)
        side = int(fusion.settings.width)  # type: ignore[union-attr,arg-type]
        self.align = nn.ModuleDict()
        if align and image is not None and text is not None:
            for name, of in (("image", side), ("text", side), ("fused", width)):
                self.align[name] = nn.Linear(of, ALIGNED)
        self.register_load_state_dict_pre_hook(_without_align)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        return self.read(image, image_mask, text, text_mask)[0]

    def read(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, State]:
        """Logits and the fusion's state."""
        beside = None if self.wide is None else self.wide(image, image_mask, text, text_mask)
        if self.image is not None:
            image, image_mask = self.image(image, image_mask)
        if self.text is not None:
            text, text_mask = self.text(text, text_mask)
        state = self.fusion(image, image_mask, text, text_mask)
        fused = self.dropout(self.norm(state.fused))
        logits = torch.cat([head(fused) for head in self.heads], dim=-1).float()
        return logits if beside is None else logits + beside, state


def _without_align(network: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Checkpoints from before hold these layers for every recipe, trained or not: where nothing asks for them, they go."""
    if not network.align:
        for key in [key for key in state if key.startswith(f"{prefix}align.")]:
            del state[key]


def parts(
    network: Network,
    batch: Mapping[str, Tensor],
    heads: Sequence[Head],
    class_weights: Mapping[str, list[Tensor]],
    schedule: Schedule,
) -> dict[str, Tensor]:
    """The named losses of a batch: one a task, `align` and `balance` where the schedule asks for them."""
    logits, state = network.read(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"])
    found, at = {}, 0
    for head, where in zip(heads, columns(heads), strict=True):
        target = batch["target"][:, at : at + len(head.questions)]
        at += len(head.questions)
        found[head.name] = losses.loss(head, logits[:, where], target, class_weights[head.name], schedule.smoothing)
    both = batch["image_mask"].any(1) & batch["text_mask"].any(1)
    if schedule.align and state.image is not None and state.text is not None:
        found["align"] = align(network.align, state, both, schedule.temperature)
    if schedule.balance and state.gates is not None:
        found["balance"] = balance(state.gates)
    return found


def align(projections: nn.ModuleDict, state: State, both: Tensor, temperature: float) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) between picture and words, picture and fused, words and fused.

    Each meme's own pair against the other memes of the batch, both ways round; `both` are the rows with both sides.
    With one such row, or none, it is 0 and still depends on all it reads: processes that share a step need the same losses.
    """
    states = {"image": state.image, "text": state.text, "fused": state.fused}
    seen = {
        name: normalize(projections[name](value[both]).float(), dim=-1)
        for name, value in states.items()
        if value is not None
    }
    if not both.any():
        return torch.stack([value.sum() for value in seen.values()]).sum()  # of nothing
    pairs = [
        losses.symmetric_info_nce(seen[left], seen[right], 1 / temperature)
        for left, right in (("image", "text"), ("image", "fused"), ("text", "fused"))
    ]
    return torch.stack(pairs).mean()


def balance(gates: Tensor) -> Tensor:
    """0 where all experts get the same share of the batch, up to experts - 1 (importance loss, Shazeer et al. 2017)."""
    share = gates.float().mean(0)  # (experts,)
    return share.var(unbiased=False) / share.mean().square()
