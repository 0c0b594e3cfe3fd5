"""The fusions by name. A fusion is registered here alone: configurations name it, the tests run over all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor, nn

from models.errors import BadInput, suggest
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from models.fusion.layered import EarlyFusion, EarlySettings, Experts, ExpertSettings
from models.fusion.sides import Concatenation, GatedUnit, SideSettings, State, both


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
        sizes = (image_width, text_width, settings.width, settings.heads)
        self.net = CrossAttention(CrossAttentionSettings(*sizes, outputs=0, dropout=settings.dropout))

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> State:
        """image (B, P, D), text (B, W, D) and their bool masks to the fused state."""
        fused, _, _ = self.net.fuse(image, image_mask, text, text_mask)  # (B, 3 width): words, picture, their product
        width = self.settings.width
        return State(fused, fused[:, width : 2 * width], fused[:, :width])


# Each fusion's settings and the module that is built from them.
FUSIONS: dict[str, tuple[type[SideSettings], Callable[[Any], nn.Module]]] = {
    "concatenation": (SideSettings, Concatenation),
    "cross_attention": (CrossedSettings, Crossed),
    "early": (EarlySettings, EarlyFusion),
    "experts": (ExpertSettings, Experts),
    "gated": (SideSettings, GatedUnit),
}


def build(name: str, image_width: int | None, text_width: int | None, options: Mapping[str, Any]) -> nn.Module:
    """The fusion of that name; `BadInput` for an unknown name or option, quoting the nearest one."""
    if name not in FUSIONS:
        raise BadInput(f"There is no fusion {name!r}.{suggest(name, FUSIONS)}")
    settings, module = FUSIONS[name]
    known = {field.name for field in fields(settings)} - {"image_width", "text_width"}
    for key in options:
        if key not in known:
            raise BadInput(f"The fusion {name!r} has no setting {key!r}.{suggest(key, known)}")
    try:
        return module(settings(image_width=image_width, text_width=text_width, **options))
    except ValueError as error:
        raise BadInput(f"The fusion {name!r} cannot be built: {error}.") from error
