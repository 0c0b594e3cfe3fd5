"""The fusions by name. A fusion is registered here alone: configurations name it, the tests run over all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from torch import Tensor, nn

from models.errors import BadInput, suggest
from models.fusion.concatenation import Concatenation
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from models.fusion.early import EarlyFusion, EarlySettings
from models.fusion.experts import Experts, ExpertSettings
from models.fusion.gated import GatedUnit
from models.fusion.sides import SideSettings, State, both


@dataclass(frozen=True)
class CrossedSettings(SideSettings):
    """Co-attention with `heads`."""

    heads: int = 4


class Crossed(nn.Module):
    """The verdict's co-attention without its heads, as a fusion of multitask models."""

    def __init__(self, settings: CrossedSettings) -> None:
        super().__init__()
        image_width, text_width = both(settings, "cross_attention")
        self.settings, self.fused_width = settings, 3 * settings.width
        self.net = CrossAttention(
            CrossAttentionSettings(
                image_width, text_width, settings.width, settings.heads, outputs=0, dropout=settings.dropout
            )
        )

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        fused, _, _ = self.net.fuse(image, image_mask, text, text_mask)  # (B, 3 width): words, picture, their product
        width = self.settings.width
        return State(fused, fused[:, width : 2 * width], fused[:, :width])


class Registered(NamedTuple):
    """A fusion's settings and the module built from them."""

    settings: type[SideSettings]
    module: Callable[[Any], nn.Module]


FUSIONS: dict[str, Registered] = {
    "concatenation": Registered(SideSettings, Concatenation),
    "cross_attention": Registered(CrossedSettings, Crossed),
    "early": Registered(EarlySettings, EarlyFusion),
    "experts": Registered(ExpertSettings, Experts),
    "gated": Registered(SideSettings, GatedUnit),
}


def build(name: str, image_width: int | None, text_width: int | None, options: Mapping[str, Any]) -> nn.Module:
    """The fusion of that name; `BadInput` for an unknown name or option, quoting the nearest one."""
    if name not in FUSIONS:
        raise BadInput(f"There is no fusion {name!r}.{suggest(name, FUSIONS)}")
    registered = FUSIONS[name]
    known = {field.name for field in fields(registered.settings)} - {"image_width", "text_width"}
    for key in options:
        if key not in known:
            raise BadInput(f"The fusion {name!r} has no setting {key!r}.{suggest(key, known)}")
    try:
        return registered.module(registered.settings(image_width=image_width, text_width=text_width, **options))
    except ValueError as error:
        raise BadInput(f"The fusion {name!r} cannot be built: {error}.") from error
