"""CLIP's tokens of a data set, each picture and text encoded once and kept in float16 on the disk.

A file is named by the hash of what was encoded, its folder by the model and the hash of its weights: another data set
with the same pictures finds them, another revision does not.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from models.encoders.base import GRID, Tokens
from models.encoders.clip import ClipEncoder
from models.io.images import open_picture

AT_ONCE = 64


@dataclass(frozen=True)
class Side:
    """Files with the tokens float16 [n, width] of each row; None where a row lacks this side."""

    files: tuple[Path | None, ...]
    width: int
    shortest: int

    def batch(self, rows: Sequence[int] | np.ndarray, *, absent: np.ndarray) -> tuple[Tensor, Tensor]:
        """Tokens (B, longest, width) and their mask; a row that is `absent` has none."""
        read = [
            None if gone or self.files[row] is None else np.load(self.files[row])  # type: ignore[arg-type]
            for row, gone in zip(rows, absent, strict=True)
        ]
        longest = max([self.shortest, *(len(tokens) for tokens in read if tokens is not None)])
        tokens = torch.zeros(len(read), longest, self.width)
        mask = torch.zeros(len(read), longest, dtype=torch.bool)
        for at, one in enumerate(read):
            if one is not None:
                tokens[at, : len(one)] = torch.from_numpy(one.astype(np.float32))
                mask[at, : len(one)] = True
        return tokens, mask


class Store:
    """The features of one model in `folder`."""

    def __init__(self, folder: Path, encoder: ClipEncoder) -> None:
        self.encoder = encoder
        model = re.sub(r"[^\w.-]+", "-", f"{encoder.source.model} {encoder.source.pretrained}")
        self.folder = folder / f"{model}-{encoder.identity['weights'][:16]}"

    def pictures(self, data: Sequence[bytes | None]) -> Side:
        """Of pictures given as bytes; raises `BadPicture` for one that cannot be opened safely."""

        def encode(some: Sequence[bytes]) -> Tokens:
            images: list[Image.Image] = [open_picture(one).image for one in some]
            return self.encoder.encode_images(images)

        return Side(self._files("pictures", data, lambda one: one, encode), self.encoder.image_width, GRID * GRID)

    def texts(self, data: Sequence[str | None]) -> Side:
        """Of texts as they are shown."""
        return Side(self._files("texts", data, str.encode, self.encoder.encode_texts), self.encoder.text_width, 2)

    def _files(
        self, kind: str, data: Sequence, as_bytes: Callable[..., bytes], encode: Callable[..., Tokens]
    ) -> tuple[Path | None, ...]:
        names = [None if one is None else hashlib.sha256(as_bytes(one)).hexdigest() for one in data]
        files = [None if name is None else self.folder / kind / name[:2] / f"{name}.npy" for name in names]
        wanted = {file: one for file, one in zip(files, data, strict=True) if file is not None and not file.is_file()}
        todo = sorted(wanted.items(), key=lambda item: len(item[1]))  # like lengths together
        with tqdm(total=len(todo), desc=f"CLIP {kind}", disable=not todo, unit="") as progress:
            for start in range(0, len(todo), AT_ONCE):
                some = todo[start : start + AT_ONCE]
                tokens = encode([one for _, one in some])
                for at, (file, _) in enumerate(some):
                    _write(file, tokens.tokens[at, tokens.mask[at]].astype(np.float16))
                progress.update(len(some))
        return tuple(files)


def _write(file: Path, tokens: np.ndarray) -> None:
    """Only a whole file has the name that is looked for."""
    file.parent.mkdir(parents=True, exist_ok=True)
    held = io.BytesIO()
    np.save(held, tokens)
    part = file.with_suffix(".part")
    part.write_bytes(held.getvalue())
    part.replace(file)
