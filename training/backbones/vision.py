"""`torchvision:NAME` and `timm:NAME`: picture towers from their libraries, with their weights or from scratch.

`options.pretrained` (true unless said otherwise) asks for the library's own weights, which a hub has to give; false
starts from scratch. Whatever else stands in `options` goes to the library's builder (`channels`, `layers`, ...).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import BadInput
from models.io.images import IMAGENET_MEAN, IMAGENET_STD, squash
from training.backbones.base import Asked, EncoderUnavailable, Store, reason
from training.backbones.mini import sparse


@dataclass(frozen=True)
class Pixels:
    """uint8 [pictures, side, side, 3]."""

    values: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """float32 (B, 3, side, side), ImageNet's mean and spread taken out, and a mask (B, 1)."""
        index = np.asarray(rows)
        values = torch.from_numpy(self.values[np.maximum(index, 0)] if len(self.values) else self._nothing(len(index)))
        pixels = (values.float() / 255 - torch.from_numpy(IMAGENET_MEAN)) / torch.from_numpy(IMAGENET_STD)
        mask = torch.from_numpy(index >= 0)[:, None]
        return pixels.permute(0, 3, 1, 2) * mask[..., None, None], mask

    def _nothing(self, rows: int) -> np.ndarray:
        return np.zeros((rows, *self.values.shape[1:]), np.uint8)


class Picture:
    """Squashed to a square; tokens are the places of the last feature map."""

    reads = "pixels"

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        self.spec, self.asked = asked.encoder, asked
        library, _, name = asked.encoder.partition(":")
        options = dict(asked.options)
        self.pretrained = bool(options.pop("pretrained", True))
        body = (
            _timm(name, self.pretrained, options) if library == "timm" else _torchvision(name, self.pretrained, options)
        )
        self.module: nn.Module = Map(body, flip=True)
        self.width = _width(self.module, asked.side)
        if not asked.tune:
            self.module.requires_grad_(False)
        self.settings: dict[str, Any] = {"frozen": not asked.tune, "side": asked.side, "pretrained": self.pretrained}

    def prepare(self, data: Sequence[Any]) -> Store:
        side = self.asked.side

        def build(pictures: Sequence[bytes]) -> Pixels:
            values = np.zeros((len(pictures), side, side, 3), np.uint8)
            for at, one in enumerate(pictures):
                image = Image.open(io.BytesIO(one)).convert("RGB")
                values[at] = np.asarray(squash(image, side))
            return Pixels(values)

        return sparse(data, build)


class Map(nn.Module):
    """Pixels (B, 3, S, S) to tokens (B, places, width); in training half of the pictures are mirrored if `flip`."""

    def __init__(self, body: nn.Module, *, flip: bool) -> None:
        super().__init__()
        self.body, self.flip = body, flip

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        if self.training and self.flip:
            mirrored = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
            pixels = torch.where(mirrored, pixels.flip(-1), pixels)
        tokens = self.body(pixels).flatten(2).transpose(1, 2)  # (B, places, width)
        return tokens, mask.expand(-1, tokens.shape[1])


def _timm(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    import timm

    if name not in timm.list_models():
        raise BadInput(f"timm has no model {name!r}: `timm.list_models()` names them.")
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="", **options)
    except Exception as error:
        raise _unavailable(f"timm:{name}", pretrained, error) from error


def _torchvision(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    from torchvision import models

    if name not in models.list_models(module=models) or not name.startswith("resnet"):
        raise BadInput(f"torchvision:{name} is not one of its ResNets, such as torchvision:resnet50.")
    try:
        net = models.get_model(name, weights="DEFAULT" if pretrained else None, **options)
    except Exception as error:
        raise _unavailable(f"torchvision:{name}", pretrained, error) from error
    return nn.Sequential(*list(net.children())[:-2])  # without pooling and classifier


def _unavailable(spec: str, pretrained: bool, error: Exception) -> EncoderUnavailable | BadInput:
    if not pretrained or isinstance(error, TypeError):  # a builder that was given a setting which it does not have
        return BadInput(f"{spec} cannot be built with these options ({reason(error)}).")
    return EncoderUnavailable(
        f"The weights of {spec} cannot be fetched ({reason(error)}): connect to their hub, name a recipe's "
        "fallback, or train from scratch with options.pretrained = false."
    )


@torch.no_grad()
def _width(module: nn.Module, side: int) -> int:
    tokens, _ = module.eval()(torch.zeros(1, 3, side, side), torch.ones(1, 1, dtype=torch.bool))
    return int(tokens.shape[-1])
