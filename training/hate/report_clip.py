"""Calibration, bands, figures and the folder of the clip profile's head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.encoders.clip import ClipEncoder
from models.fusion.cross_attention import CrossAttention
from models.profiles.registry import HEAD
from training.export import weights_folder
from training.hate import report
from training.metrics import classification

if TYPE_CHECKING:
    from training.hate.train_clip import Part

FALSE_ALARMS = 0.10  # at most this share of validation memes without hate may be shown as hateful,
MISSED = 0.10  # and at most this share of the hateful ones as not hateful, where both can be had


def bands(chances: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """The two thresholds on validation rows; between them a person should look."""
    review_from = min(0.45, float(np.quantile(chances[labels == 1], MISSED)))
    hateful_from = min(0.95, max(0.55, float(np.quantile(chances[labels == 0], 1 - FALSE_ALARMS))))
    return {"review_from": round(review_from, 3), "hateful_from": round(hateful_from, 3)}


def save(net: CrossAttention, parts: Mapping[str, Part], encoder: ClipEncoder, *, recipe: Any, data: str) -> Path:
    """Writes `weights/hate_cross_attention_clip` and returns its folder."""
    from training.hate.train_clip import predict

    logits = {name: predict(net, part) for name, part in parts.items() if name != "train"}
    labels = {name: part.label for name, part in parts.items()}
    calibration = report.calibrate([(logits["validation"], labels["validation"])])
    threshold = report.choose_threshold([(logits["validation"], labels["validation"])], calibration)
    figures = {
        f"{name}, {data}": {
            "rows": len(labels[name]),
            **classification.binary(labels[name].tolist(), calibration(found).tolist(), threshold=threshold),
        }
        for name, found in logits.items()
        if len(set(labels[name].tolist())) == 2
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
            "calibration": {"hate": asdict(calibration)},
            "thresholds": {"hate": threshold},
            "bands": bands(calibration(logits["validation"]), labels["validation"]),
            "recipe": asdict(recipe) if is_dataclass(recipe) and not isinstance(recipe, type) else dict(recipe),
            "data": {"name": data, "rows": {name: len(part) for name, part in parts.items()}},
        },
        metrics=figures,
        readme=CARD.format(
            name=HEAD, model=encoder.source, data=data, rows=len(parts["train"]), table=report._table(figures)
        ),
        graph=report._graph(net.eval()),
    )


CARD = """
# {name}

Is a meme hateful? Co-attention over the patch and word tokens of open_clip's {model}, trained by
`python -m training fit hate_cross_attention --profile clip` on {rows:,} memes of {data}.

{table}

Early stopping, calibration, threshold and bands were chosen on the validation rows, so their figures are optimistic; test
rows, where there are any, were measured only. It knows what its data set calls hateful, and English only; it cannot know
who speaks, to whom, or whether irony is meant.
"""
