"""The network that names a face's expression, and the augmentation of its training pictures."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

from models.emotions.expressions import LABELS
from training.config import Config


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 convolution and its batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """`depth` convolutions; the shortcut around all but the first (He et al. 2016) lets a short training reach this depth."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        widths = [inputs] + [outputs] * depth
        self.layers = nn.ModuleList(convolution(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        x = self.layers[0](x).relu_()
        for layer in self.layers[1:-1]:
            x = layer(x).relu_()
        return x if len(self.layers) == 1 else (x + self.layers[-1](x)).relu_()


class ExpressionNet(nn.Module):
    """(B, 1, side, side) standardised grey to (B, 7) logits; any side from 32 on, as the last map is averaged."""

    def __init__(self, widths: Sequence[int], depths: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        inputs = [1, *widths[:-1]]
        self.blocks = nn.ModuleList(Block(a, b, n) for a, b, n in zip(inputs, widths, depths, strict=True))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], len(LABELS))

    def features(self, x: Tensor) -> Tensor:
        """(B, 1, side, side) to (B, widths[-1]), which the heads read."""
        for number, block in enumerate(self.blocks):
            if number:
                x = F.max_pool2d(x, 2)  # (B, C, side / 2, side / 2)
            x = block(x)
        return self.dropout(x.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 7)."""
        return self.head(self.features(x))


class MultiScale(nn.Module):
    """The mean logits over several sizes of a face (Simonyan and Zisserman 2015, section 3.2): (B, 1, 48, 48) to (B, 7)."""

    def __init__(self, net: nn.Module, sides: Sequence[int]) -> None:
        super().__init__()
        self.net, self.sides = net, tuple(sides)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 7)."""
        sizes = [
            x if side == x.shape[-1] else F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False)
            for side in self.sides
        ]
        return torch.stack([self.net(resized) for resized in sizes]).mean(0)


@dataclass(frozen=True)
class Augmentation(Config):
    """How far a face is varied; each face is also mirrored with probability 1/2."""

    turn: float  # degrees either way
    zoom: tuple[float, float]
    shift: float  # fraction of the side, either way
    light: float  # of contrast and brightness, in standard deviations
    erase: float  # probability that a rectangle is blanked

    def __call__(self, faces: Tensor, side: int) -> Tensor:
        """(B, 1, 48, 48) to (B, 1, side, side), each face varied by itself.

        The pixel grid stays as fine as in the source: a smaller `side` shows less of the face, not a coarser one.
        """
        count, full = len(faces), faces.shape[-1]
        angle = torch.empty(count).uniform_(-self.turn, self.turn).deg2rad()
        scale = (side / full) / torch.empty(count).uniform_(*self.zoom)
        mirror = torch.randint(0, 2, (count,)) * 2 - 1
        theta = torch.zeros(count, 2, 3)
        theta[:, 0, 0], theta[:, 0, 1] = mirror * angle.cos() * scale, -angle.sin() * scale
        theta[:, 1, 0], theta[:, 1, 1] = mirror * angle.sin() * scale, angle.cos() * scale
        theta[:, :, 2] = torch.empty(count, 2).uniform_(-2 * self.shift, 2 * self.shift)  # a picture spans -1 to 1
        grid = F.affine_grid(theta, [count, 1, side, side], align_corners=False)
        varied = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
        varied = varied * (1 + self.light * torch.randn(count, 1, 1, 1)) + self.light * torch.randn(count, 1, 1, 1)
        low = torch.rand(count, 2, 1) * 0.8
        high = low + 0.1 + 0.25 * torch.rand(count, 2, 1)
        position = torch.arange(side) / side
        inside = (position >= low) & (position < high)  # (B, 2, side): rows and columns of the rectangle
        blank = inside[:, 0, :, None] & inside[:, 1, None, :] & (torch.rand(count, 1, 1) < self.erase)
        return varied.masked_fill(blank[:, None], 0.0)


def fold_norms(net: ExpressionNet) -> ExpressionNet:
    """A copy for inference with the same outputs, in which each norm is part of the convolution before it."""
    copy = deepcopy(net).eval()
    for layer in [module for module in copy.modules() if isinstance(module, nn.Sequential)]:  # of `convolution`
        layer[0], layer[1] = fuse_conv_bn_eval(*layer), nn.Identity()
    return copy
