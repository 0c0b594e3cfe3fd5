"""CLIP's tokens of a data set: each image and text is encoded once, and its tokens are a file of float16 on the disk.

A file is named by the hash of what was encoded, its folder by the model and the hash of its weights. Another data set
with the same images finds them, another revision of the weights does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm import tqdm

from models.encoders.base import GRID, Tokens
from models.encoders.clip import ClipEncoder
from models.io.images import open_picture
from models.tokenizers.base import length_batches
from training.features.cache import digest, write_complete
from training.features.tokens import BATCH_SIZE, MIN_LENGTH, pad_tokens


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
    """The tokens of one model in `folder`."""

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
