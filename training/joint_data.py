"""What the joint training reads: what frozen stages say of Flickr8k's photographs, and their captions as word pieces.

The network runs once for each photograph and variant (as it is, its mirror image, random crops); what it says stays on
the disk, a file a variant.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm
from transformers import AutoTokenizer

from models.encoders.mini import prepare
from training import export
from training.datasets.rows import Row
from training.joint_net import Stages
from training.sentences import minilm_folder
from training.towers import efficientnet

AT_ONCE = 4
PLAIN, MIRRORED = 0, 1  # variants; from 2 on random crops
LONGEST = 40  # word pieces of a caption in training


@dataclass(frozen=True)
class Photographs:
    """What the frozen stages say of N photographs in V variants: float32 (V, N, 1712)."""

    seen: Tensor

    def __len__(self) -> int:
        return self.seen.shape[1]


class Captions:
    """Five captions a photograph as word pieces."""

    def __init__(self, captions: Sequence[Sequence[str]]) -> None:
        tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
        self.pieces = [
            [tokenizer(caption, truncation=True, max_length=LONGEST)["input_ids"] for caption in told]
            for told in captions
        ]

    def batch(self, rows: np.ndarray, which: np.ndarray) -> list[list[int]]:
        """Word pieces of caption `which` of each photograph; counted around where it has fewer."""
        return [self.pieces[row][one % len(self.pieces[row])] for row, one in zip(rows, which, strict=True)]


def encoded(words: nn.Module, pieces: Sequence[Sequence[int]], at_once: int = 64) -> Tensor:
    """What the words' tower makes of texts (B, 512); like lengths go together, so that little is spent on padding."""
    order = sorted(range(len(pieces)), key=lambda row: len(pieces[row]))
    parts = [words(*padded([pieces[row] for row in order[at : at + at_once]])) for at in range(0, len(order), at_once)]
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.tensor(order)] = torch.arange(len(order))
    return torch.cat(parts)[back]


def padded(pieces: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Word pieces of several texts as ids and mask (B, W)."""
    ids = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in pieces], batch_first=True)
    return ids, (ids != 0).long()


def photographs(rows: Sequence[Row], cache: Path, *, variants: int, seed: int = 7, threads: int = 2) -> Photographs:
    """Runs the stages, or takes what they said from the cache: the picture, its mirror image, then random crops."""
    data = [row.image or b"" for row in rows]
    digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in data)).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    files = [cache / f"stages-{digest}-{variant}.npy" for variant in range(variants)]
    session = None if all(file.is_file() for file in files) else _session(threads)
    for variant, file in enumerate(files):
        if session is not None and not file.is_file():
            part = file.with_suffix(".part.npy")
            np.save(part, _run(session, data, variant, seed))
            part.replace(file)  # only a whole file has the name that is looked for
    return Photographs(torch.from_numpy(np.stack([np.load(file) for file in files])))


def _run(session: onnxruntime.InferenceSession, data: Sequence[bytes], variant: int, seed: int) -> np.ndarray:
    found = []
    for start in tqdm(range(0, len(data), AT_ONCE), desc=f"photographs, variant {variant}", disable=None):
        images = [Image.open(io.BytesIO(one)).convert("RGB") for one in data[start : start + AT_ONCE]]
        pixels = np.stack([prepare(varied(image, variant, (seed, start + at))) for at, image in enumerate(images)])
        found.append(session.run(None, {"pixels": pixels})[0])
    return np.concatenate(found)


def varied(image: Image.Image, variant: int, seed: tuple[int, ...]) -> Image.Image:
    """The picture, its mirror image, or a random crop of 45% to all of it, mirrored by chance, lighter or darker."""
    if variant == PLAIN:
        return image
    if variant == MIRRORED:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rng = np.random.default_rng((variant, *seed))
    share, shape = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.29, 0.29))
    wide, high = min(1.0, (share * shape) ** 0.5), min(1.0, (share / shape) ** 0.5)
    left, top = rng.uniform(0, 1 - wide) * image.width, rng.uniform(0, 1 - high) * image.height
    box = (left, top, left + wide * image.width, top + high * image.height)
    image = image.resize((224, 224), Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    light = (np.asarray(image, np.float32) - 128) * rng.uniform(0.8, 1.2) + 128 * rng.uniform(0.85, 1.15)
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))


def _session(threads: int) -> onnxruntime.InferenceSession:
    """onnxruntime runs the network several times faster than torch does on a CPU."""
    graph = export.trace(
        Stages(efficientnet()), [torch.randn(2, 3, 224, 224)], names=["pixels"], outputs=["seen"],
        dynamic={"pixels": {0: "batch"}},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)
