"""Features of Flickr8k's photographs and captions by both towers before they are trained, computed once and cached.

The picture network runs once for each photograph and variant (itself, its mirror image, random crops). The text tower runs
once for each caption; training starts from its states after the frozen half.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm
from transformers import AutoTokenizer

from models.tokenizers.base import length_batches
from training.backbones.sentences import WIDTH, minilm_folder
from training.datasets.base import Row
from training.features.cache import cached_arrays
from training.retrieval.model import FROZEN_WIDTH, IMAGE_SIZE, TEXT_WIDTH, TextTower
from training.retrieval.stages import PLAIN, stage_features

BATCH_SIZE = 128  # captions
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

    def lengths(self, captions: Sequence[int]) -> np.ndarray:
        """Word pieces of each of these captions."""
        return np.diff(self.starts)[np.asarray(captions)]

    def draw(self, photos: np.ndarray, rng: np.random.Generator) -> list[int]:
        """A random caption of each of these photographs."""
        first, last = np.searchsorted(self.owner, photos), np.searchsorted(self.owner, photos, side="right")
        return rng.integers(first, last).tolist()


@dataclass(frozen=True)
class Pairs:
    """The photographs of a split, float16 (variants, N, 1712), and their captions."""

    photos: Tensor
    captions: CaptionFeatures

    def __len__(self) -> int:
        return self.photos.shape[1]

    @property
    def plain_photos(self) -> Tensor:
        """Features of the photographs as they are, float32 (N, 1712)."""
        return self.photos[PLAIN].float()

    def draw(self, size: int, rng: np.random.Generator) -> tuple[Tensor, list[int]]:
        """At most `size` photographs (B, 1712), each in a random variant, and the number of a caption of each."""
        rows = rng.permutation(len(self))[:size]
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
    batches = [*length_batches(features.lengths(captions), batch_size)]
    vectors = torch.cat([text(*features.batch([captions[row] for row in batch])).float() for batch in batches])
    return vectors[torch.from_numpy(np.argsort(np.concatenate(batches)))]


def photo_features(rows: Sequence[Row], cache: Path, *, variants: int, seed: int) -> Tensor:
    """Features of the rows' photographs by the frozen network, float16 (variants, N, 1712)."""
    data = [row.image or b"" for row in rows]

    def image(row: int) -> Image.Image:
        return Image.open(io.BytesIO(data[row])).convert("RGB")

    return torch.from_numpy(
        stage_features([image], len(data), data, cache, variants=variants, size=IMAGE_SIZE, seed=seed)
    )
