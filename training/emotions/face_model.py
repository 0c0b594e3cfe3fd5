"""The net that names a face's expression, and how its training pictures are varied."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import fuse_conv_bn_eval

from models.emotions.expressions import LABELS


def convolution(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside))


class Block(nn.Module):
    """Two convolutions with a shortcut (He et al. 2016), which is what lets so short a fitting reach this depth."""

    def __init__(self, inside: int, outside: int, depth: int) -> None:
        super().__init__()
        widths = [inside] + [outside] * depth
        self.layers = nn.ModuleList(convolution(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x).relu_()
        for layer in self.layers[1:-1]:
            x = layer(x).relu_()
        return x if len(self.layers) == 1 else (x + self.layers[-1](x)).relu_()


class ExpressionNet(nn.Module):
    """(B, 1, side, side) standardised grey to (B, 7) logits; any side from 32 on, as the last map is averaged."""

    def __init__(self, widths: list[int], depths: list[int], dropout: float = 0.0) -> None:
        super().__init__()
        inside = [1, *widths[:-1]]
        self.blocks = nn.ModuleList(Block(a, b, n) for a, b, n in zip(inside, widths, depths, strict=True))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(widths[-1], len(LABELS))

    def features(self, x: Tensor) -> Tensor:
        for number, block in enumerate(self.blocks):
            if number:
                x = F.max_pool2d(x, 2)  # (B, C, side / 2, side / 2)
            x = block(x)
        return self.dropout(x.mean((2, 3)))  # (B, widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


class AtSizes(nn.Module):
    """One net's mean logits over a face shown in several sizes (Simonyan and Zisserman 2015, section 3.2): (B, 1, 48, 48) in."""

    def __init__(self, net: nn.Module, sides: Sequence[int]) -> None:
        super().__init__()
        self.net, self.sides = net, tuple(sides)

    def forward(self, x: Tensor) -> Tensor:
        shown = [
            x if side == x.shape[-1] else F.interpolate(x, size=(side, side), mode="bicubic", align_corners=False)
            for side in self.sides
        ]
        return torch.stack([self.net(one) for one in shown]).mean(0)  # (B, 7)


def augment(
    faces: Tensor, *, side: int, turn: float, zoom: Sequence[float], shift: float, light: float, erase: float
) -> Tensor:
    """(B, 1, 48, 48) to (B, 1, side, side): mirrored, turned, zoomed, moved, relit, partly blanked, each its own way.

    The pixel grid stays as fine as in the source: a smaller `side` sees less of the face, not a coarser one. `turn` is
    in degrees either way, `zoom` a range, `shift` a share of the side, `light` in standard deviations, `erase` a share.
    """
    count, full = len(faces), faces.shape[-1]
    angle = torch.empty(count).uniform_(-turn, turn).deg2rad()
    scale = (side / full) / torch.empty(count).uniform_(*zoom)
    mirror = torch.randint(0, 2, (count,)) * 2 - 1
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = mirror * angle.cos() * scale, -angle.sin() * scale
    theta[:, 1, 0], theta[:, 1, 1] = mirror * angle.sin() * scale, angle.cos() * scale
    theta[:, :, 2] = torch.empty(count, 2).uniform_(-2 * shift, 2 * shift)  # here the picture spans -1 to 1
    grid = F.affine_grid(theta, [count, 1, side, side], align_corners=False)
    seen = F.grid_sample(faces, grid, padding_mode="border", align_corners=False)
    seen = seen * (1 + light * torch.randn(count, 1, 1, 1)) + light * torch.randn(count, 1, 1, 1)
    low = torch.rand(count, 2, 1) * 0.8
    high = low + 0.1 + 0.25 * torch.rand(count, 2, 1)
    place = torch.arange(side) / side
    inside = (place >= low) & (place < high)  # (B, 2, side): rows and columns of the rectangle
    blank = inside[:, 0, :, None] & inside[:, 1, None, :] & (torch.rand(count, 1, 1) < erase)
    return seen.masked_fill(blank[:, None], 0.0)


def folded(net: ExpressionNet) -> ExpressionNet:
    """A copy for use: each norm is taken into the convolution before it, which changes nothing but the work."""
    copy = deepcopy(net).eval()
    for layer in [part for part in copy.modules() if isinstance(part, nn.Sequential)]:
        weights, norm = layer
        if isinstance(weights, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            layer[0], layer[1] = fuse_conv_bn_eval(weights, norm), nn.Identity()
    return copy
