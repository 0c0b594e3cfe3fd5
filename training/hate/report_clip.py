"""Calibration, bands, metrics and the folder of the clip profile's head."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from models.encoders.clip import ClipEncoder
from models.fusion.cross_attention import CrossAttention
from models.profiles.registry import HEAD
from training.calibration.scaling import fit_platt
from training.calibration.thresholds import choose_bands, choose_threshold
from training.export import weights_folder
from training.export.cards import render_card
from training.hate.config import ClipHateConfig
from training.hate.data import Data
from training.hate.lit_module import predict_sources
from training.hate.report import binary_metrics, export_graph

FALSE_ALARM_RATE = 0.10  # of validation memes without hate that the bands may show as hateful, where both can be had
MISS_RATE = 0.10  # of the hateful ones that may be shown as not hateful


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
