"""Writes `weights/joint_picture` and `weights/joint_words` with their metrics and cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from models import weights
from models.io.images import open_picture
from models.search.joint_space import JointSpace
from training.backbones.pretrained import export_words, write_vocabulary
from training.datasets.base import Row
from training.export import weights_folder
from training.export.cards import render_card
from training.metrics import retrieval
from training.metrics.retrieval import Ranks
from training.retrieval.data import Pairs
from training.retrieval.model import IMAGE_SIZE, JointModel, TextForExport, image_for_export

FALSE_PAIRS = 1e-5  # fraction of pairs of different photographs that may be called near-duplicates


def write(model: JointModel, baseline: Ranks, config: dict[str, Any], validation: Pairs, rows: Sequence[Row]) -> None:
    """Writes both folders, then their metrics on the validation rows by the graphs that ship."""
    write_vocabulary()
    shared = {"width": 512, "temperature": round(1 / model.scale().item(), 4), "recipe": config}
    images = {
        "kind": "EfficientNet-Lite0 in a joint space of pictures and words",
        "preprocessing": {**weights.card("mini_picture").setting("preprocessing"), "side": IMAGE_SIZE},
        "same": near_duplicate_threshold(model, validation),
    }
    texts = {
        "kind": "MiniLM-L6 in a joint space of pictures and words",
        "vocabulary": weights.card("mini_vocabulary").identity,
    }
    graph = weights_folder.trace(
        image_for_export(model.image),
        [torch.randn(2, 3, IMAGE_SIZE, IMAGE_SIZE)],
        names=["pixels"],
        outputs=["vector"],
        dynamic={"pixels": {0: "batch"}},
    )
    weights_folder.write("joint_picture", config=images | shared, metrics={}, readme="", graph=graph, bits=8)
    graph = export_words(TextForExport(model.text), ("vector",))
    weights_folder.write("joint_words", config=texts | shared, metrics={}, readme="", graph=graph, bits=8)
    shipped = ranks_as_shipped(rows)
    joint, late = retrieval.metrics(shipped), retrieval.metrics(baseline)
    gain = retrieval.difference(shipped, baseline)
    metrics = {
        "flickr8k, validation (stop chosen on these rows)": {"rows": len(rows), **joint},
        "flickr8k, validation, baseline (separate embeddings, late combination)": {"rows": len(rows), **late},
        "flickr8k, validation, joint minus baseline": {"rows": len(rows), **gain},
    }
    for name in ("joint_picture", "joint_words"):
        readme = render_card(name, joint=joint, baseline=late, gain=gain)
        weights_folder.report(name, metrics=metrics, readme=readme)


@torch.no_grad()
def near_duplicate_threshold(model: JointModel, pairs: Pairs) -> float:
    """The cosine that all but one in 100,000 pairs of different photographs stay below."""
    vectors = model.image(pairs.plain_photos)
    cosines = (vectors @ vectors.T).numpy()[np.triu_indices(len(vectors), 1)]
    return round(float(np.quantile(cosines, 1 - FALSE_PAIRS)), 3) if len(cosines) else 1.0


def ranks_as_shipped(rows: Sequence[Row]) -> Ranks:
    """Ranks by the graphs that ship, in 8 bits, through the app's own code."""
    space = JointSpace()
    images = space.embed_images([open_picture(row.image or b"").image for row in rows])
    texts = space.embed_texts([caption for row in rows for caption in row.details["captions"]])
    owner = np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])
    return retrieval.ranks(images @ texts.T, owner)
