"""Tokens of whole data sets of both profiles, computed once by the app's own encoders and cached on the disk in float16.

Training reads what the app will read: the same graphs, the same preprocessing. For `mini` a cache file is named by the
identity of the weights and of the rows. For `clip` the tokens of each image and text are a file, named by the hash of what
was encoded, in a folder named by the model and the hash of its weights: another data set with the same images finds them,
another revision of the weights does not.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from models.encoders.base import GRID, Tokens
from models.encoders.clip import ClipEncoder
from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.tokenizers.base import length_batches
from training.features.cache import cached_arrays, cached_rows, digest, write_complete

BATCH_SIZE = 64
MIN_LENGTH = 2  # tokens of a padded batch of texts: a traced graph must not see an axis of length 1


@dataclass(frozen=True)
class ImageTokens:
    """tokens: float16 [images, 49, 1280]."""

    tokens: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, 49, 1280) and their mask; row -1 is an absent image."""
        index = np.asarray(rows)
        tokens = torch.from_numpy(self.tokens[np.maximum(index, 0)]).float()
        mask = torch.from_numpy(index >= 0)[:, None].expand(-1, tokens.shape[1])
        return tokens * mask[..., None], mask


@dataclass(frozen=True)
class TextTokens:
    """tokens: float16 [all word pieces, 768], one text after the other; text i is starts[i]:starts[i + 1]."""

    tokens: np.ndarray
    starts: np.ndarray

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, W, 768), padded, and their mask; row -1 is an absent text."""
        texts = [self.tokens[self.starts[row] : self.starts[row + 1]] if row >= 0 else None for row in rows]
        return pad_tokens(texts, width=self.tokens.shape[1], min_length=MIN_LENGTH)


def pad_tokens(rows: Sequence[np.ndarray | None], *, width: int, min_length: int) -> tuple[Tensor, Tensor]:
    """Tokens [n, width] of each row, or None, to one padded tensor float32 (B, N, width) and its mask (B, N)."""
    arrays = [torch.zeros(0, width) if row is None else torch.from_numpy(row.astype(np.float32)) for row in rows]
    tokens = pad_sequence([*arrays, torch.zeros(min_length, width)], batch_first=True)[:-1]
    lengths = torch.tensor([len(row) for row in arrays])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def image_tokens(images: Sequence[bytes], encoder: MiniEncoder, cache: Path) -> ImageTokens:
    """Tokens of images given as the bytes of their files."""

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(images), BATCH_SIZE):
            batch = [Image.open(io.BytesIO(image)).convert("RGB") for image in images[start : start + BATCH_SIZE]]
            yield encoder.encode_images(batch).tokens

    shape = (len(images), GRID * GRID, encoder.image_width)  # more than a gigabyte for all images of a training
    key: list[str | bytes] = [encoder.cards[0].identity, *images]
    return ImageTokens(cached_rows(cache, "image-tokens", key, blocks, shape=shape, dtype=np.float16))


def text_tokens(texts: Sequence[str], encoder: MiniEncoder, cache: Path, *, max_pieces: int = 96) -> TextTokens:
    """Tokens of texts, of each the first `max_pieces` word pieces."""

    def encode(batch: Sequence[str]) -> list[np.ndarray]:
        encoded = encoder.encode_texts(batch)
        lengths = np.minimum(encoded.mask.sum(1), max_pieces)
        return [row[:length].astype(np.float16) for row, length in zip(encoded.tokens, lengths, strict=True)]

    return cached_text_tokens(texts, encode, f"{encoder.cards[1].identity} {max_pieces}", cache)


def cached_text_tokens(
    texts: Sequence[str], encode: Callable[[Sequence[str]], list[np.ndarray]], identity: str, cache: Path
) -> TextTokens:
    """Tokens float16 [pieces, width] of each text as `encode` gives them for a batch of texts of like length.

    `identity` names the encoder and its settings.
    """

    def compute() -> dict[str, np.ndarray]:
        rows: list[np.ndarray] = [np.zeros((0, 0), np.float16)] * len(texts)
        for batch in length_batches([len(text) for text in texts], BATCH_SIZE):
            for row, tokens in zip(batch, encode([texts[row] for row in batch]), strict=True):
                rows[row] = tokens
        return {"tokens": np.concatenate(rows), "starts": np.cumsum([0, *map(len, rows)])}

    return TextTokens(**cached_arrays(cache, "text-tokens", [identity, *texts], compute))


@dataclass(frozen=True)
class TokenFiles:
    """Files with the tokens float16 [n, width] of each row; None where a row lacks this modality."""

    files: tuple[Path | None, ...]
    width: int
    min_length: int

    def batch(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, N, width), padded, and their mask (B, N); row -1 is absent."""
        files = [None if row < 0 else self.files[row] for row in rows]
        tokens = [None if file is None else np.load(file) for file in files]
        return pad_tokens(tokens, width=self.width, min_length=self.min_length)


class ClipTokens:
    """The tokens of one open_clip model in `folder`."""

    def __init__(self, folder: Path, encoder: ClipEncoder) -> None:
        self.encoder = encoder
        model = re.sub(r"[^\w.-]+", "-", f"{encoder.source.model} {encoder.source.pretrained}")
        self.folder = folder / f"{model}-{encoder.identity['weights'][:16]}"

    def images(self, data: Sequence[bytes | None]) -> TokenFiles:
        """Tokens of images given as bytes; raises `BadPicture` for one that cannot be opened safely."""

        def encode(batch: Sequence[bytes]) -> Tokens:
            return self.encoder.encode_images([open_picture(image).image for image in batch])

        return TokenFiles(self._files("images", data, encode), self.encoder.image_width, GRID * GRID)

    def texts(self, data: Sequence[str | None]) -> TokenFiles:
        """Tokens of texts as they are shown."""
        return TokenFiles(self._files("texts", data, self.encoder.encode_texts), self.encoder.text_width, MIN_LENGTH)

    def _files(self, kind: str, data: Sequence, encode: Callable[..., Tokens]) -> tuple[Path | None, ...]:
        names = [None if item is None else digest([item]) for item in data]
        files = tuple(None if name is None else self.folder / kind / name[:2] / f"{name}.npy" for name in names)
        items = {file: item for file, item in zip(files, data, strict=True) if file is not None}
        missing = [file for file in items if not file.is_file()]
        batches = [*length_batches([len(items[file]) for file in missing], BATCH_SIZE)]
        for rows in tqdm(batches, desc=f"CLIP {kind}", disable=not batches, unit="batch"):
            encoded = encode([items[missing[row]] for row in rows])
            for row, tokens, mask in zip(rows, encoded.tokens, encoded.mask, strict=True):
                write_complete(missing[row], partial(np.save, arr=tokens[mask].astype(np.float16)))
        return files
