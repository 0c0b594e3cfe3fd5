"""`python -m training fit hate_cross_attention --profile clip`: the token-level head of the clip profile.

Co-attention over the frozen tokens of an open_clip model, on a data set that the user names. The tokens are computed once
(`training/features/tokens.py`); early stopping, calibration, threshold and bands use validation rows, test rows are measured
only.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import lightning as L
import numpy as np
from torch.utils.data import DataLoader

from models.encoders.clip import ClipEncoder, ClipSource
from models.errors import BadInput
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from models.profiles.registry import HEAD
from models.runtime import device
from training.calibration.thresholds import choose_bands, choose_threshold, fit_platt
from training.config import load_config, overrides_of
from training.datasets import memes
from training.datasets.base import Row
from training.export import weights_folder
from training.export.cards import render_card
from training.features.tokens import ClipTokens
from training.hate import lit_module
from training.hate.config import ClipHateConfig
from training.hate.data import Data, Rows
from training.hate.lit_module import Batch, HateModule, predict_sources
from training.hate.report import binary_metrics, export_graph

FALSE_ALARM_RATE = 0.10  # of validation memes without hate that the bands may show as hateful, where both can be had
MISS_RATE = 0.10  # of the hateful ones that may be shown as not hateful
ACCELERATORS = {"cuda": ("gpu", "16-mixed"), "mps": ("mps", "32-true"), "cpu": ("cpu", "bf16-mixed")}


def training_batches(data: Data, config: ClipHateConfig) -> DataLoader:
    """All training rows once an epoch in a new order, with modality dropout."""
    rows, rng = data.rows["train"], np.random.default_rng(config.seed)

    def batch(index: list[int]) -> Batch:
        memes = rows.take(np.array(index)).drop_modalities(config.modality_dropout, rng)
        return {"memes": data.batch("memes", memes)}

    return DataLoader(range(len(rows)), config.batch_size, shuffle=True, collate_fn=batch)  # type: ignore[arg-type]


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
    batches = training_batches(data, config)
    net = lit_module.fit(module, batches, out, resume=args.resume, max_epochs=config.epochs, **options)
    folder = save(net, data, encoder, config=config, name=Path(args.data).name)
    print(f"Wrote {folder}. The app takes it as its profile clip: streamlit run app.py")


def save(net: CrossAttention, data: Data, encoder: ClipEncoder, *, config: ClipHateConfig, name: str) -> Path:
    """Writes `weights/hate_cross_attention_clip` and returns its folder; `name` is that of the data set."""
    sources = predict_sources(net, data, {split: rows for split, rows in data.rows.items() if split != "train"})
    logits, labels = sources["validation"]
    scaling = fit_platt([(logits, labels)])
    probs = scaling(logits)
    threshold = choose_threshold([(probs, labels)])
    metrics = {
        f"{split}, {name}": binary_metrics(source, scaling, threshold)
        for split, source in sources.items()
        if len(set(source[1].tolist())) == 2
    }
    repo = encoder.source.repo()
    return weights_folder.write(
        HEAD,
        config={
            "kind": f"co-attention over tokens of {encoder.source}",
            "labels": ["hate"],
            "architecture": asdict(net.settings) | {"networks": 1},
            "encoder": encoder.identity
            | {"repo": None if repo is None else {"id": repo.id, "revision": repo.revision, "files": repo.files}},
            "calibration": {"hate": asdict(scaling)},
            "thresholds": {"hate": threshold},
            "bands": choose_bands(probs[labels == 1], MISS_RATE, [(probs[labels == 0], FALSE_ALARM_RATE)]),
            "recipe": asdict(config),
            "data": {"name": name, "rows": {split: len(rows) for split, rows in data.rows.items()}},
        },
        metrics=metrics,
        readme=render_card(
            HEAD, name=HEAD, model=encoder.source, data=name, rows=len(data.rows["train"]), table=metrics
        ),
        graph=export_graph(net),
    )
