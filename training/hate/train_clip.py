"""`python -m training fit hate_cross_attention --profile clip`: the token-level head of the clip profile.

Co-attention over the frozen tokens of an open_clip model, on a data set that the user names. The tokens are computed once
(`training/features/clip.py`); early stopping, calibration, threshold and bands use validation rows, test rows are measured
only.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
from torch.utils.data import IterableDataset

from models.encoders.clip import ClipEncoder, ClipSource
from models.errors import BadInput
from models.fusion.cross_attention import CrossAttentionSettings
from models.runtime import device
from training.config import load_config, overrides_of
from training.datasets import memes
from training.datasets.base import Row
from training.features.clip import ClipTokens
from training.hate import lit_module, report_clip
from training.hate.config import ClipHateConfig
from training.hate.data import Data, Rows
from training.hate.lit_module import Batch, HateModule

ACCELERATORS = {"cuda": ("gpu", "16-mixed"), "mps": ("mps", "32-true"), "cpu": ("cpu", "bf16-mixed")}


class TrainingBatches(IterableDataset):
    """All training rows once in a new order, with modality dropout."""

    def __init__(self, data: Data, config: ClipHateConfig) -> None:
        self.data, self.config = data, config
        self._rng = np.random.default_rng(config.seed)

    def __len__(self) -> int:
        return math.ceil(len(self.data.rows["train"]) / self.config.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        rows = self.data.rows["train"]
        order = self._rng.permutation(len(rows))
        for start in range(0, len(order), self.config.batch_size):
            batch = rows.take(order[start : start + self.config.batch_size])
            batch = batch.drop_modalities(self.config.modality_dropout, self._rng)
            yield {"memes": self.data.batch("memes", batch)}


def encode(splits: Mapping[str, Sequence[Row]], tokens: ClipTokens) -> Data:
    """The rows of all splits, with their tokens from the cache where they are there."""
    rows = [row for split in splits.values() for row in split]
    index = np.arange(len(rows))
    text = np.where([row.text is None for row in rows], -1, index)
    picture = np.where([row.image is None for row in rows], -1, index)
    indexed = Rows(text, picture, np.array([row.label for row in rows], dtype=int), index)
    ends = np.cumsum([len(split) for split in splits.values()])
    by_split = dict(zip(splits, map(indexed.take, np.split(index, ends[:-1])), strict=True))
    return Data(tokens.texts([row.text for row in rows]), tokens.images([row.image for row in rows]), by_split)


def fit(args: argparse.Namespace) -> None:
    """Trains, calibrates and writes `weights/hate_cross_attention_clip`."""
    if not args.data:
        raise BadInput(
            "Name the data: --data with a folder (img/ and train.jsonl, say) or a data set of the Hub, ORGANISATION/NAME."
        )
    config = load_config("hate_cross_attention_clip", ClipHateConfig, overrides_of(args))
    rows = memes.read(args.data, limit=args.limit)
    if args.limit:
        config = replace(config, epochs=min(config.epochs, 2))
    encoder = ClipEncoder(ClipSource(args.model, args.pretrained, args.revision), device.choose(args.device))
    out = Path(args.out)
    data = encode(rows, ClipTokens(out / "cache", encoder))
    L.seed_everything(config.seed, verbose=False)
    settings = CrossAttentionSettings(
        encoder.image_width, encoder.text_width, width=config.width, heads=config.heads, outputs=1,
        dropout=config.dropout, head_dropout=config.head_dropout,
    )  # fmt: skip
    module = HateModule(settings, config, data, {"validation": data.rows["validation"]})
    accelerator, precision = ACCELERATORS[encoder.placed.device.name]
    options = {"accelerator": accelerator, "precision": precision, "devices": 1, "log_every_n_steps": 10}
    batches = TrainingBatches(data, config)
    net = lit_module.fit(module, batches, out, resume=args.resume, max_epochs=config.epochs, **options)
    folder = report_clip.save(net, data, encoder, config=config, name=Path(args.data).name)
    print(f"Wrote {folder}. The app takes it as its profile clip: streamlit run app.py")
