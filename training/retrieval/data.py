"""What the joint training reads: what both towers say of Flickr8k's photographs and captions before they are trained.

The picture network runs once for each photograph and variant (as it is, its mirror image, random crops); what it says
stays on the disk, a file a variant. The words' tower runs once for each caption; its states where the frozen half ends are
what training starts from.
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

from models.io.images import preprocess
from training.backbones.pretrained import efficientnet
from training.backbones.sentences import WIDTH, minilm_folder
from training.datasets.base import Row
from training.export import weights_folder
from training.retrieval.model import FROZEN_MEANS, READ, SIDE, Stages, Words

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


@dataclass(frozen=True)
class Told:
    """What the words' tower says of M captions before it is trained.

    states: float16 [all word pieces, 384] where the frozen half ends, in which caption m owns rows starts[m] to
    starts[m + 1]; means: float32 (M, 1536) of all layers read; owner: int [M], whose caption it is.
    """

    states: np.ndarray
    starts: np.ndarray
    means: Tensor
    owner: np.ndarray

    def batch(self, captions: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
        """States (B, W, 384), mask (B, W) and the means of the frozen half (B, 768) of these captions."""
        parts = [torch.from_numpy(self.states[self.starts[one] : self.starts[one + 1]]).float() for one in captions]
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(part), dtype=torch.long) for part in parts], batch_first=True)
        states = nn.utils.rnn.pad_sequence(parts, batch_first=True)  # (B, W, 384)
        return states, mask, self.means[torch.as_tensor(captions), : FROZEN_MEANS * WIDTH]

    def length(self, captions: Sequence[int]) -> np.ndarray:
        """Word pieces of these captions."""
        return np.diff(self.starts)[np.asarray(captions)]

    def one_of_each(self, rows: np.ndarray, rng: np.random.Generator) -> list[int]:
        """A caption of each of these photographs, drawn."""
        first, last = np.searchsorted(self.owner, rows), np.searchsorted(self.owner, rows, side="right")
        return [int(one) for one in rng.integers(first, last)]


@torch.no_grad()
def told(words: Words, captions: Captions, cache: Path, at_once: int = 128) -> Told:
    """Runs the tower once over all captions, or takes what it said from the cache."""
    pieces = [one for several in captions.pieces for one in several]
    owner = np.repeat(np.arange(len(captions.pieces)), [len(several) for several in captions.pieces])
    lengths = np.array([len(one) for one in pieces])
    starts = np.concatenate([[0], lengths.cumsum()])
    digest = hashlib.sha256(np.concatenate([np.array(one, np.int32) for one in pieces]).tobytes()).hexdigest()[:16]
    file = cache / f"captions-{digest}.npz"
    if file.is_file():
        held = np.load(file)
        return Told(held["states"], starts, torch.from_numpy(held["means"]), owner)
    words.eval()
    states, means = np.empty((starts[-1], WIDTH), np.float16), np.empty((len(pieces), len(READ) * WIDTH), np.float32)
    order = np.argsort(lengths, kind="stable")
    for at in tqdm(range(0, len(order), at_once), desc="captions", disable=None):
        some = order[at : at + at_once]
        with torch.autocast("cpu", torch.bfloat16):
            found, mean = words.read(*padded([pieces[one] for one in some]))
        means[some] = mean.float().numpy()
        for row, one in enumerate(some):
            states[starts[one] : starts[one + 1]] = found[row, : lengths[one]].float().numpy()
    cache.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.npz")
    np.savez(part, states=states, means=means)
    part.replace(file)  # only a whole file has the name that is looked for
    return Told(states, starts, torch.from_numpy(means), owner)


def through(words: Words, told: Told, captions: Sequence[int], at_once: int = 128) -> Tensor:
    """Vectors (B, 512) of captions by the tower as it now is; like lengths go together, which spares padding."""
    order = np.argsort(told.length(captions), kind="stable")
    parts = [
        words(*told.batch([captions[row] for row in order[at : at + at_once]])).float()
        for at in range(0, len(order), at_once)
    ]
    back = torch.empty(len(order), dtype=torch.long)
    back[torch.from_numpy(order)] = torch.arange(len(order))
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
    files = [cache / f"stages-{SIDE}-{digest}-{variant}.npy" for variant in range(variants)]
    session = None if all(file.is_file() for file in files) else stages_session(SIDE, threads)
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
        pixels = np.stack(
            [preprocess(varied(image, variant, (seed, start + at)), SIDE) for at, image in enumerate(images)]
        )
        found.append(session.run(None, {"pixels": pixels})[0])
    return np.concatenate(found)


def varied(image: Image.Image, variant: int, seed: tuple[int, ...]) -> Image.Image:
    """The picture, its mirror image, or a random crop of 60% to all of it, mirrored by chance."""
    if variant == PLAIN:
        return image
    if variant == MIRRORED:
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rng = np.random.default_rng((variant, *seed))
    share, shape = rng.uniform(0.6, 1.0), np.exp(rng.uniform(-0.2, 0.2))
    wide, high = min(1.0, (share * shape) ** 0.5), min(1.0, (share / shape) ** 0.5)
    left, top = rng.uniform(0, 1 - wide) * image.width, rng.uniform(0, 1 - high) * image.height
    box = (left, top, left + wide * image.width, top + high * image.height)
    image = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=box)
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else image


def stages_session(side: int, threads: int = 0) -> onnxruntime.InferenceSession:
    """The frozen stages on pixels (B, 3, side, side): onnxruntime runs them several times faster than torch on a CPU."""
    graph = weights_folder.trace(
        Stages(efficientnet()), [torch.randn(2, 3, side, side)], names=["pixels"], outputs=["seen"],
        dynamic={"pixels": {0: "batch"}},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph.SerializeToString(), options)
