"""All data sets by name. A new one is a file with a `Dataset`, and a line here."""

from __future__ import annotations

from models.errors import BadInput, suggest
from training.datasets.axiom import AXIOM
from training.datasets.dataset import Dataset
from training.datasets.dreaddit import DREADDIT
from training.datasets.fer2013 import FER2013
from training.datasets.flickr8k import FLICKR8K
from training.datasets.goemotions import GOEMOTIONS
from training.datasets.harmeme import HARMEME
from training.datasets.hate_text import HATE_TEXT
from training.datasets.memotion import MEMOTION, MEMOTION_POLARITY
from training.datasets.oasis import OASIS
from training.datasets.religious_hateful import RELIGIOUS_HATEFUL
from training.datasets.restore import RESTORE

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        AXIOM, DREADDIT, FER2013, FLICKR8K, GOEMOTIONS, HARMEME, HATE_TEXT, MEMOTION, MEMOTION_POLARITY, OASIS,
        RELIGIOUS_HATEFUL, RESTORE,
    )
}  # fmt: skip


def get(name: str) -> Dataset:
    """The data set of that name; `BadInput` with the nearest name where there is none."""
    if name not in DATASETS:
        raise BadInput(f"There is no data set {name!r}.{suggest(name, DATASETS)}")
    return DATASETS[name]
