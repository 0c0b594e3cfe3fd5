"""`torchvision:NAME` and `timm:NAME`: picture towers from their libraries, with their weights or from scratch.

`options.pretrained` (true unless said otherwise) takes the library's own weights, which its hub has to give; false starts
from scratch. All other `options` go to the library's builder (`channels`, `layers`, ...).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import BadInput
from models.io.images import squash
from training.backbones.base import Backbone, BackboneSpec, Modality, TokenStore, build_error
from training.backbones.stores import PixelStore, prepare_present

ADVICE = (
    "connect to the hub of its weights, name a recipe's fallback, or train from scratch with options.pretrained = false"
)


class VisionBackbone(Backbone):
    """Images are resized to a square; tokens are the positions of the last feature map."""

    input_kind = "pixels"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(spec)
        options = dict(spec.options)
        self.pretrained = bool(options.pop("pretrained", True))
        build = _build_timm if spec.encoder.startswith("timm:") else _build_torchvision
        try:
            network = build(spec.name, self.pretrained, options)
        except BadInput:
            raise
        except Exception as error:
            raise build_error(spec, error, ADVICE, pretrained=self.pretrained) from error
        self.module = FeatureMap(network)
        self.width = _width(self.module, spec.side)
        self.freeze_unless_finetuned()
        self.card = {"frozen": not spec.finetune, "side": spec.side, "pretrained": self.pretrained}

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Resized images; one of zeros where no row has an image, so that a batch has something to index."""
        side = self.spec.side

        def build(images: Sequence[bytes]) -> PixelStore:
            pixels = np.zeros((max(1, len(images)), side, side, 3), np.uint8)
            for number, image in enumerate(images):
                pixels[number] = np.asarray(squash(Image.open(io.BytesIO(image)).convert("RGB"), side))
            return PixelStore(pixels)

        return prepare_present(data, build)


class FeatureMap(nn.Module):
    """Pixels (B, 3, S, S) to tokens (B, positions, width); in training half of the images are mirrored."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.body = network

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            mirrored = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
            pixels = torch.where(mirrored, pixels.flip(-1), pixels)
        tokens = self.body(pixels).flatten(2).transpose(1, 2)  # (B, positions, width)
        return tokens, mask.expand(-1, tokens.shape[1])


def _build_timm(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    import timm

    if name not in timm.list_models():
        raise BadInput(f"timm has no model {name!r}: `timm.list_models()` names them.")
    return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="", **options)


def _build_torchvision(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    from torchvision import models

    if name not in models.list_models(module=models) or not name.startswith("resnet"):
        raise BadInput(f"torchvision:{name} is not one of its ResNets, such as torchvision:resnet50.")
    network = models.get_model(name, weights="DEFAULT" if pretrained else None, **options)
    return nn.Sequential(*list(network.children())[:-2])  # without pooling and classifier


@torch.no_grad()
def _width(module: nn.Module, side: int) -> int:
    tokens, _ = module.eval()(torch.zeros(1, 3, side, side), torch.ones(1, 1, dtype=torch.bool))
    return int(tokens.shape[-1])
