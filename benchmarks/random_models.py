"""The clip profile's models at full size with random weights, in the very folders and formats of the hub.

Times and memory do not depend on the values of the weights. They are stored in half precision, which halves the disk
space (720 MB).

    with random_models.folder() as models: ...    # SUBTEXT_MODELS and SUBTEXT_WEIGHTS name what it wrote
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from benchmarks.common import ROOT


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with everything, named in the environment of this process and of those it starts; removed in the end."""
    with tempfile.TemporaryDirectory(prefix="subtext-full-") as name:
        folder = Path(name)
        variables = {
            "SUBTEXT_MODELS": str(folder / "models"),
            "SUBTEXT_WEIGHTS": str(folder / "weights"),
            "HF_HUB_OFFLINE": "1",
        }
        write_models(folder / "models")
        link_weights(folder / "weights")
        with patch.dict(os.environ, variables):
            write_head(folder / "models")
            yield folder


def write_models(folder: Path) -> None:
    """CLIP ViT-B/32, RoBERTa-base and ViT-base."""
    import open_clip
    import torch
    from safetensors.torch import save_file
    from transformers import (
        RobertaConfig,
        RobertaForSequenceClassification,
        RobertaTokenizerFast,
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessor,
    )

    from models.emotions import roberta, vit
    from models.emotions.expressions import LABELS as EXPRESSIONS
    from models.emotions.text import LABELS as EMOTIONS

    torch.manual_seed(0)
    clip = folder / "timm" / "vit_base_patch32_clip_224.openai"
    clip.mkdir(parents=True)
    model = open_clip.create_model("ViT-B-32", force_quick_gelu=True)
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, clip / "open_clip_model.safetensors")
    del model, tensors

    words = folder / roberta.REPO.id
    words.mkdir(parents=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(point) for point in (*range(33, 127), 288)]
    (words / "vocab.json").write_text(json.dumps({piece: index for index, piece in enumerate([*special, *letters])}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizerFast(str(words / "vocab.json"), str(words / "merges.txt")).save_pretrained(words)
    settings = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, **_labels(EMOTIONS))
    RobertaForSequenceClassification(settings).half().save_pretrained(words)

    faces = folder / vit.REPO.id
    ViTForImageClassification(ViTConfig(**_labels(EXPRESSIONS))).half().save_pretrained(faces)
    ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(faces)


def _labels(names: tuple[str, ...]) -> dict[str, dict]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def link_weights(folder: Path) -> None:
    """The shipped weights, by links."""
    folder.mkdir()
    for weights in (ROOT / "weights").iterdir():
        (folder / weights.name).symlink_to(weights)


def write_head(models: Path) -> None:
    """A random head on the tokens of the CLIP in `models`, into the folder that SUBTEXT_WEIGHTS names."""
    from models.encoders.clip import ClipSource
    from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
    from models.profiles.registry import HEAD
    from models.weights import sha256
    from training.export import weights_folder
    from training.hate import report

    source = ClipSource()
    repo = source.repo()
    assert repo is not None
    file = models / repo.id / "open_clip_model.safetensors"
    net = CrossAttention(CrossAttentionSettings(image_width=768, text_width=512, outputs=1))
    weights_folder.write(
        HEAD,
        config={
            "labels": ["hate"],
            "architecture": {"image_width": 768, "text_width": 512},
            "encoder": {
                "model": source.model, "pretrained": source.pretrained, "revision": "", "weights": sha256(file),
                "repo": {"id": repo.id, "revision": repo.revision, "files": repo.files},
            },
            "calibration": {"hate": {"scale": 1.0, "offset": 0.0}},
            "thresholds": {"hate": 0.5},
            "bands": {"review_from": 0.4, "hateful_from": 0.6},
        },
        metrics={},
        readme="random weights, for timing",
        graph=report.export_graph(net.eval()),
    )  # fmt: skip
