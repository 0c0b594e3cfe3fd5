"""EMOTIC's people as `convert-emotic` wrote them, and the features of each person's whole picture and of the person cut out.

The frozen network runs once for each person and variant; its features are cached beside the checkpoints.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from models.emotions.people import CONTINUOUS
from models.encoders.mini import SIDE
from models.errors import BadInput
from training.datasets.emotic import CATEGORIES
from training.retrieval.data import stage_features

FILES = ("context.npy", "body.npy", "categories.npy", "continuous.npy")
HINT = "make it with `python -m training convert-emotic Annotations.mat PICTURES {folder}`"
KEY_ROWS = 64  # enough to tell data sets apart


@dataclass(frozen=True)
class People:
    """N converted people: pictures uint8 (N, 224, 224, 3) and (N, 128, 128, 3), memory-mapped.

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


def read_people(folder: str | Path, split: str, limit: int | None = None) -> People:
    """The people of `train`, `validation` or `test`; raises `BadInput` with what is missing, damaged or does not fit."""
    folder = Path(folder)
    hint = HINT.format(folder=folder)
    names = [f"{split}_{file}" for file in FILES] + [f"{split}.csv"]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BadInput(f"{folder} lacks {', '.join(missing)}: {hint}.")
    try:
        arrays = [np.load(folder / name, mmap_mode="r") for name in names[:-1]]
        pictures = pd.read_csv(folder / names[-1], dtype=str, keep_default_na=False)["picture"].to_numpy(str)
    except (OSError, ValueError, KeyError) as error:  # a damaged table is a ValueError
        raise BadInput(f"{folder} has a damaged file of the split {split} ({error}): {hint}.") from error
    context, body, categories, continuous = arrays
    widths = [array.shape[-1] for array in arrays]
    if len({len(item) for item in (*arrays, pictures)}) > 1 or widths != [3, 3, len(CATEGORIES), len(CONTINUOUS)]:
        raise BadInput(f"The files of the split {split} in {folder} do not fit each other: {hint} again.")
    if not len(pictures):
        raise BadInput(f"The split {split} in {folder} holds no people: {hint} from all pictures.")
    numbers = np.unique(pictures, return_inverse=True)[1]
    return People(
        context[:limit], body[:limit], *(np.array(array[:limit]) for array in (categories, continuous, numbers))
    )


def person_features(people: People, cache: Path, *, variants: int, seed: int) -> np.ndarray:
    """Features of context and body side by side, float16 (variants, N, 3424)."""
    sides = people.context, people.body
    rows = np.linspace(0, len(people) - 1, min(len(people), KEY_ROWS)).astype(int)
    key = [str(len(people)), *(side[row].tobytes() for row in rows for side in sides)]
    views = [lambda row, side=side: Image.fromarray(np.asarray(side[row])) for side in sides]
    return stage_features(views, len(people), key, cache, variants=variants, size=SIDE, seed=seed)


def batch(features: np.ndarray, people: People, rows: np.ndarray, rng: np.random.Generator) -> dict[str, Tensor]:
    """These people, each in a random variant, as tensors."""
    variants = rng.integers(len(features), size=len(rows))
    return {
        "features": torch.from_numpy(features[variants, rows].astype(np.float32)),
        "categories": torch.from_numpy(people.categories[rows]),
        "continuous": torch.from_numpy(people.continuous[rows]),
    }
