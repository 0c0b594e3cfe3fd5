"""Features of the frozen picture network: the means of three stages of EfficientNet-Lite0, computed once for all epochs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from models.io.images import preprocess
from training.backbones.pretrained import efficientnet
from training.export import weights_folder
from training.features.cache import cached_rows

CHANNELS = (112, 320, 1280)  # of the fifth and the seventh stage and of the head of EfficientNet-Lite0
STAGES_WIDTH = sum(CHANNELS)
PLAIN, MIRRORED = 0, 1  # variants of an image; from 2 on they are random crops
BATCH_SIZE = 4


class Stages(nn.Module):
    """The frozen network, read after three of its stages."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        blocks = list(network.blocks)
        self.low = nn.Sequential(network.conv_stem, network.bn1, *blocks[:5])
        self.middle = nn.Sequential(*blocks[5:])
        self.head = nn.Sequential(network.conv_head, network.bn2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) to the means of the three stages over the picture, side by side (B, 1712)."""
        low = self.low(pixels)
        middle = self.middle(low)
        return torch.cat([stage.mean((2, 3)) for stage in (low, middle, self.head(middle))], dim=1)


def stage_features(
    views: Sequence[Callable[[int], Image.Image]],
    rows: int,
    key: Sequence[str | bytes],
    cache: Path,
    *,
    variants: int,
    size: int,
    seed: int,
) -> np.ndarray:
    """Features float16 [variants, rows, 1712 per view], computed once for each `key`, which identifies the images.

    Each of `views` gives the image of a row. Variant 0 is the image itself, 1 its mirror image, the rest are random crops;
    `size` is the side in pixels at which the network sees it.
    """

    def blocks(variant: int) -> Iterator[np.ndarray]:
        session = stages_session(size)
        for start in tqdm(range(0, rows, BATCH_SIZE), desc=f"features, variant {variant}", disable=None):
            features = []
            for number, view in enumerate(views):
                batch = range(start, min(start + BATCH_SIZE, rows))
                images = [augment(view(row), variant, size, (seed, row, number)) for row in batch]
                pixels = np.stack([preprocess(image, size) for image in images])
                features.append(session.run(None, {"pixels": pixels})[0])
            yield np.concatenate(features, axis=1)

    return np.stack(
        [
            cached_rows(
                cache,
                f"stages-{variant}",
                [f"{size} {seed}", *key],
                functools.partial(blocks, variant),
                shape=(rows, STAGES_WIDTH * len(views)),
                dtype=np.float16,
            )
            for variant in range(variants)
        ]
    )


def augment(image: Image.Image, variant: int, size: int, seed: tuple[int, ...]) -> Image.Image:
    """The image itself, its mirror image, or a random crop of 60% to all of it, mirrored half of the time."""
    if variant == PLAIN:
        return image
    if variant == MIRRORED:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rng = np.random.default_rng((variant, *seed))
    area, shape = rng.uniform(0.6, 1.0), np.exp(rng.uniform(-0.2, 0.2))
    width, height = min(1.0, (area * shape) ** 0.5), min(1.0, (area / shape) ** 0.5)
    left, top = rng.uniform(0, 1 - width) * image.width, rng.uniform(0, 1 - height) * image.height
    box = (left, top, left + width * image.width, top + height * image.height)
    image = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


@functools.cache
def stages_session(size: int) -> onnxruntime.InferenceSession:
    """The frozen stages on pixels (B, 3, size, size): on a CPU onnxruntime runs them several times faster than torch."""
    graph = weights_folder.trace(
        Stages(efficientnet()), [torch.randn(2, 3, size, size)], names=["pixels"], outputs=["features"],
        dynamic={"pixels": {0: "batch"}},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)
