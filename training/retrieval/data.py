"""Features of Flickr8k's photographs and captions by both towers before they are trained, computed once and cached.

The picture network runs once for each photograph and variant (itself, its mirror image, random crops). The text tower runs
once for each caption; training starts from its states after the frozen half.
"""

import functools
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm
from transformers import AutoTokenizer

from models.io.images import preprocess
from models.tokenizers.base import length_batches
from training.backbones.e5 import WIDTH
from training.backbones.minilm import minilm_folder
from training.backbones.pretrained import efficientnet
from training.datasets.base import Row
from training.export import weights_folder
from training.features.cache import cached_arrays, cached_rows
from training.retrieval.model import FROZEN_WIDTH, IMAGE_SIZE, STAGES_WIDTH, TEXT_WIDTH, Stages, TextTower

BATCH_SIZE = 128  # captions
IMAGE_BATCH_SIZE = 4
PLAIN, MIRRORED = 0, 1  # variants of an image; from 2 on they are random crops
MAX_PIECES = 40  # word pieces of a caption in training


@dataclass(frozen=True)
class CaptionFeatures:
    """Features of M captions by the text tower before it is trained.

    states: float16 [all word pieces, 384] after the frozen half, in which caption m owns rows starts[m] to starts[m + 1];
    means: float32 (M, 1536), the mean tokens of all pooled layers; owner: int [M], each caption's photograph.
    """

    states: np.ndarray
    starts: np.ndarray
    means: Tensor
    owner: np.ndarray

    def batch(self, captions: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """States (B, W, 384), mask (B, W) and the mean tokens of the frozen half (B, 768) of these captions."""
        states = [torch.from_numpy(self.states[self.starts[row] : self.starts[row + 1]]).float() for row in captions]
        mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in states], batch_first=True)
        return pad_sequence(states, batch_first=True), mask, self.means[torch.as_tensor(captions), :FROZEN_WIDTH]

    def draw(self, photos: np.ndarray, rng: np.random.Generator) -> list[int]:
        """A random caption of each of these photographs."""
        first, last = np.searchsorted(self.owner, photos), np.searchsorted(self.owner, photos, side="right")
        return rng.integers(first, last).tolist()


@dataclass(frozen=True)
class Pairs:
    """The photographs of a split, float16 (variants, N, 1712), and their captions."""

    photos: Tensor
    captions: CaptionFeatures

    @property
    def plain_photos(self) -> Tensor:
        """Features of the photographs as they are, float32 (N, 1712)."""
        return self.photos[PLAIN].float()

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, list[int]]:
        """At most `size` photographs (B, 1712), each in a random variant, and the number of a caption of each."""
        rows = rng.permutation(self.photos.shape[1])[:size]
        captions = self.captions.draw(rows, rng)
        return self.photos[rng.integers(len(self.photos), size=len(rows)), rows], captions


def tokenize(captions: Sequence[Sequence[str]]) -> list[list[int]]:
    """Word pieces of all captions of all photographs, one after the other."""
    tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
    texts = [text for photo in captions for text in photo]
    return tokenizer(texts, truncation=True, max_length=MAX_PIECES)["input_ids"]


def pad(pieces: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Word pieces of several texts as ids and mask (B, W)."""
    ids = pad_sequence([torch.tensor(row) for row in pieces], batch_first=True)
    return ids, (ids != 0).long()


@torch.no_grad()
def encode_captions(text: TextTower, captions: Sequence[Sequence[str]], cache: Path) -> CaptionFeatures:
    """Runs the untrained text tower once over the captions of each photograph."""
    pieces = tokenize(captions)
    lengths = np.array([len(row) for row in pieces])
    starts = np.cumsum([0, *lengths])

    def compute() -> dict[str, np.ndarray]:
        text.eval()
        states, means = np.empty((starts[-1], WIDTH), np.float16), np.empty((len(pieces), TEXT_WIDTH), np.float32)
        for batch in tqdm([*length_batches(lengths, BATCH_SIZE)], desc="captions", disable=None):
            ids, mask = pad([pieces[row] for row in batch])
            with torch.autocast("cpu", torch.bfloat16):
                batch_states, batch_means = text.encode(mask, input_ids=ids)
            means[batch] = batch_means.float().numpy()
            for row, row_states in zip(batch, batch_states.float().numpy(), strict=True):
                states[starts[row] : starts[row + 1]] = row_states[: lengths[row]]
        return {"states": states, "means": means}

    arrays = cached_arrays(cache, "captions", [np.array(row, np.int32).tobytes() for row in pieces], compute)
    owner = np.repeat(np.arange(len(captions)), [len(photo) for photo in captions])
    return CaptionFeatures(arrays["states"], starts, torch.from_numpy(arrays["means"]), owner)


def encode_with_trained_tower(
    text: TextTower, features: CaptionFeatures, captions: Sequence[int], batch_size: int = BATCH_SIZE
) -> Tensor:
    """Vectors (B, 512) of captions by the tower as it is now. Captions of like length go together, which saves padding."""
    batches = [*length_batches(np.diff(features.starts)[np.asarray(captions)], batch_size)]
    vectors = torch.cat([text(*features.batch([captions[row] for row in batch])).float() for batch in batches])
    return vectors[torch.from_numpy(np.argsort(np.concatenate(batches)))]


def photo_features(rows: Sequence[Row], cache: Path, *, variants: int, seed: int) -> Tensor:
    """Features of the rows' photographs by the frozen network, float16 (variants, N, 1712)."""
    data = [row.image or b"" for row in rows]

    def image(row: int) -> Image.Image:
        return Image.open(io.BytesIO(data[row])).convert("RGB")

    features = stage_features([image], len(data), data, cache, variants=variants, size=IMAGE_SIZE, seed=seed)
    return torch.from_numpy(features)


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
        for start in tqdm(range(0, rows, IMAGE_BATCH_SIZE), desc=f"features, variant {variant}", disable=None):
            batch, features = range(start, min(start + IMAGE_BATCH_SIZE, rows)), []
            for number, view in enumerate(views):
                images = [augment(view(row), variant, size, (seed, row, number)) for row in batch]
                pixels = np.stack([preprocess(image, size) for image in images])
                features.append(session.run(None, {"pixels": pixels})[0])
            yield np.concatenate(features, axis=1)

    full_key, shape = [f"{size} {seed}", *key], (rows, STAGES_WIDTH * len(views))

    cached = functools.partial(cached_rows, cache, key=full_key, shape=shape, dtype=np.float16)
    return np.stack(
        [cached(f"stages-{variant}", blocks=functools.partial(blocks, variant)) for variant in range(variants)]
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
    graph = export_pixels(Stages(efficientnet()), size, "features")
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)


def export_pixels(module: nn.Module, size: int, output: str) -> onnx.ModelProto:
    """The graph of a module on `pixels` (B, 3, size, size) with one output."""
    example = [torch.randn(2, 3, size, size)]
    return weights_folder.trace(module, example, names=["pixels"], outputs=[output], dynamic={"pixels": {0: "batch"}})
