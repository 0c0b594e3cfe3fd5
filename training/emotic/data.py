"""What EMOTIC's systems learn from: what frozen stages say of each person's whole picture and of the person cut out.

The network runs once for each person and variant; what it says is kept beside the checkpoints, a file a part and variant.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from tqdm import tqdm

from models.emotions.people import CONTINUOUS
from models.encoders.mini import SIDE
from models.errors import BadInput
from models.io.images import preprocess
from training.datasets.emotic import CATEGORIES
from training.retrieval.data import stages_session, varied
from training.retrieval.model import STAGES

AT_ONCE = 4
FILES = ("context.npy", "body.npy", "categories.npy", "continuous.npy")
HOW = "make it with `python -m training convert-emotic Annotations.mat PICTURES {folder}`"


@dataclass(frozen=True)
class Part:
    """N converted people: pictures uint8 (N, 224, 224, 3) and (N, 128, 128, 3), read from the disk as they are asked for.

    `categories` float32 (N, 26) of 0 and 1, `continuous` float32 (N, 3) from 1 to 10 (NaN unknown), `pictures` int [N]: people
    of one picture share a number.
    """

    context: np.ndarray
    body: np.ndarray
    categories: np.ndarray
    continuous: np.ndarray
    pictures: np.ndarray

    def __len__(self) -> int:
        return len(self.categories)


def part(folder: str | Path, name: str, limit: int | None = None) -> Part:
    """The people of `train`, `validation` or `test` as `convert-emotic` wrote them; `BadInput` says what is missing."""
    folder = Path(folder)
    wanted = [f"{name}_{file}" for file in FILES] + [f"{name}.csv"]
    missing = [file for file in wanted if not (folder / file).is_file()]
    if missing:
        raise BadInput(f"{folder} lacks {', '.join(missing)}: {HOW.format(folder=folder)}.")
    try:
        arrays = [np.load(folder / file, mmap_mode="r") for file in wanted[:-1]]
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            shown = [row["picture"] for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{folder} has a damaged file of the part {name} ({error}): {HOW.format(folder=folder)}."
        ) from error
    context, body, categories, continuous = arrays
    lengths = {len(one) for one in (*arrays, shown)}
    widths = [categories.shape[1:], continuous.shape[1:], context.shape[3:], body.shape[3:]]
    if len(lengths) > 1 or widths != [(len(CATEGORIES),), (len(CONTINUOUS),), (3,), (3,)]:
        raise BadInput(
            f"The files of the part {name} in {folder} do not fit each other: {HOW.format(folder=folder)} again."
        )
    if not shown:
        raise BadInput(
            f"The part {name} in {folder} holds no people: {HOW.format(folder=folder)} with all pictures there."
        )
    numbers = np.unique(np.array(shown), return_inverse=True)[1]
    return Part(
        *(one[:limit] for one in (context, body)), *(np.array(one[:limit]) for one in (categories, continuous, numbers))
    )


def seen(people: Part, cache: Path, *, variants: int, seed: int) -> np.ndarray:
    """What the stages say of context and body side by side: float16 (V, N, 3424)."""
    digest = hashlib.sha256(repr((len(people), seed)).encode())
    for row in np.linspace(0, len(people) - 1, min(len(people), 64)).astype(int):  # enough to tell data sets apart
        digest.update(people.context[row].tobytes() + people.body[row].tobytes())
    cache.mkdir(parents=True, exist_ok=True)
    files = [cache / f"emotic-{digest.hexdigest()[:16]}-{variant}.npy" for variant in range(variants)]
    session = None if all(file.is_file() for file in files) else stages_session(SIDE)
    for variant, file in enumerate(files):
        if session is not None and not file.is_file():
            half = file.with_suffix(".part.npy")
            np.save(half, _run(session, people, variant, seed))
            half.replace(file)  # only a whole file has the name that is looked for
    return np.stack([np.load(file) for file in files])


def _run(session: onnxruntime.InferenceSession, people: Part, variant: int, seed: int) -> np.ndarray:
    found = np.zeros((len(people), 2 * sum(STAGES)), np.float16)
    for start in tqdm(range(0, len(people), AT_ONCE), desc=f"people, variant {variant}", disable=None):
        rows = range(start, min(start + AT_ONCE, len(people)))
        sides = []
        for side, pictures in enumerate((people.context, people.body)):
            images = [Image.fromarray(np.asarray(pictures[row])) for row in rows]
            # Both sides are mirrored together or not at all in the mirrored variant; crops are drawn for each side.
            fed = np.stack(
                [
                    preprocess(varied(image, variant, (seed, row, side)), SIDE)
                    for row, image in zip(rows, images, strict=True)
                ]
            )
            sides.append(session.run(None, {"pixels": fed})[0])
        found[rows.start : rows.stop] = np.concatenate(sides, axis=1)
    return found


def batch(features: np.ndarray, people: Part, rows: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """Some people, each in a variant drawn by chance, as tensors."""
    variants = rng.integers(len(features), size=len(rows))
    return {
        "seen": torch.from_numpy(features[variants, rows].astype(np.float32)),
        "categories": torch.from_numpy(people.categories[rows]),
        "continuous": torch.from_numpy(people.continuous[rows]),
    }
