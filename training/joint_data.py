"""What the joint training reads: Flickr8k's photographs as the frozen trunk gives them, their captions as word pieces.

The trunk runs once for each photograph and variant (as it is, its mirror image, random crops); its output stays on the
disk in float16, a file a variant. A run that was ended goes on where it was.
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
from training.joint_net import LOW, Trunk
from training.sentences import minilm_folder
from training.towers import efficientnet

SHAPE = (14, 14, LOW)
AT_ONCE = 4
PLAIN, MIRRORED = 0, 1  # variants; from 2 on random crops
LONGEST = 40  # word pieces of a caption in training


@dataclass(frozen=True)
class Photographs:
    """The trunk's output of N photographs in V variants: float16 [N, 14, 14, 112] each, memory-mapped."""

    variants: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.variants[0])

    def batch(self, rows: np.ndarray, variants: np.ndarray) -> Tensor:
        """(B, 112, 14, 14) float32 of the photographs and variants named."""
        some = np.stack([self.variants[variant][row] for row, variant in zip(rows, variants, strict=True)])
        return torch.from_numpy(some).float().permute(0, 3, 1, 2)  # stays channels-last in memory

    def plain(self, rows: slice | None = None) -> Tensor:
        """(B, 112, 14, 14) of the photographs as they are."""
        some = self.variants[PLAIN][rows if rows is not None else slice(None)]
        return torch.from_numpy(np.ascontiguousarray(some)).float().permute(0, 3, 1, 2)


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


def photographs(rows: Sequence[Row], cache: Path, *, crops: int, seed: int = 7, threads: int = 2) -> Photographs:
    """Runs the trunk, or takes its output from the cache; `crops` random ones beside the picture and its mirror."""
    data = [row.image or b"" for row in rows]
    digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in data)).hexdigest()[:16]
    cache.mkdir(parents=True, exist_ok=True)
    files = [cache / f"trunk-{digest}-{variant}.npy" for variant in range(2 + crops)]
    missing = [variant for variant, file in enumerate(files) if not file.is_file()]
    if missing:
        session = _trunk_session(cache, threads)
        for variant in missing:
            _run(session, data, variant, files[variant], seed)
    return Photographs(tuple(np.load(file, mmap_mode="r") for file in files))


def _run(session: onnxruntime.InferenceSession, data: Sequence[bytes], variant: int, file: Path, seed: int) -> None:
    part, mark = file.with_suffix(".part.npy"), file.with_suffix(".done")
    done = int(mark.read_text()) if mark.is_file() and part.is_file() else 0
    out = np.lib.format.open_memmap(part, mode="r+" if done else "w+", dtype=np.float16, shape=(len(data), *SHAPE))
    starts = range(done, len(data), AT_ONCE)
    for start in tqdm(starts, desc=f"photographs, variant {variant}", disable=None):
        images = [Image.open(io.BytesIO(one)).convert("RGB") for one in data[start : start + AT_ONCE]]
        pixels = np.stack([prepare(varied(image, variant, (seed, start + at))) for at, image in enumerate(images)])
        out[start : start + AT_ONCE] = session.run(None, {"pixels": pixels})[0].transpose(0, 2, 3, 1)
        if start % 400 == 0:
            out.flush()
            mark.write_text(str(start))
    out.flush()
    part.replace(file)
    mark.unlink(missing_ok=True)


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


def _trunk_session(cache: Path, threads: int) -> onnxruntime.InferenceSession:
    """onnxruntime runs the trunk several times faster than torch does on a CPU."""
    graph = export.trace(
        Trunk(efficientnet()), [torch.randn(2, 3, 224, 224)], names=["pixels"], outputs=["low"],
        dynamic={"pixels": {0: "batch"}},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)
