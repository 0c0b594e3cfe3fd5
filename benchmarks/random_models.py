"""The clip profile's models at full size with random weights, in the very folders and formats of the hub.

Times and memory do not depend on what the weights say. Stored in half precision, which halves the disk (720 MB).

    with random_models.folder() as models: ...    # SUBTEXT_MODELS and SUBTEXT_WEIGHTS name what it wrote
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with everything, named in the environment of this process and of those it starts; removed in the end."""
    with tempfile.TemporaryDirectory(prefix="subtext-full-") as named:
        place = Path(named)
        before = {key: os.environ.get(key) for key in ("SUBTEXT_MODELS", "SUBTEXT_WEIGHTS", "HF_HUB_OFFLINE")}
        write(place)
        os.environ |= {
            "SUBTEXT_MODELS": str(place / "models"),
            "SUBTEXT_WEIGHTS": str(place / "weights"),
            "HF_HUB_OFFLINE": "1",
        }
        try:
            yield place
        finally:
            for key, value in before.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value


def write(place: Path) -> None:
    """CLIP ViT-B/32, RoBERTa-base and ViT-base into `place`/models, a head on CLIP's tokens into `place`/weights."""
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
    clip = place / "models" / "timm" / "vit_base_patch32_clip_224.openai"
    clip.mkdir(parents=True)
    model = open_clip.create_model("ViT-B-32", force_quick_gelu=True)
    save_file(
        {key: value.half().contiguous() for key, value in model.state_dict().items()},
        clip / "open_clip_model.safetensors",
    )
    del model

    words = place / "models" / roberta.REPO.id
    words.mkdir(parents=True)
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(point) for point in (*range(33, 127), 288)]
    (words / "vocab.json").write_text(json.dumps({piece: at for at, piece in enumerate([*marks, *letters])}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizerFast(str(words / "vocab.json"), str(words / "merges.txt")).save_pretrained(words)
    settings = RobertaConfig(
        vocab_size=50265, max_position_embeddings=514, type_vocab_size=1, id2label=dict(enumerate(EMOTIONS)),
        label2id={label: at for at, label in enumerate(EMOTIONS)},
    )  # fmt: skip
    RobertaForSequenceClassification(settings).half().save_pretrained(words)

    faces = place / "models" / vit.REPO.id
    named = {"id2label": dict(enumerate(EXPRESSIONS)), "label2id": {label: at for at, label in enumerate(EXPRESSIONS)}}
    ViTForImageClassification(ViTConfig(**named)).half().save_pretrained(faces)
    ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(faces)
    _write_weights(place)


def _write_weights(place: Path) -> None:
    """The shipped weights by link, beside them a random head."""
    from models.encoders.clip import ClipSource
    from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
    from models.profiles.registry import HEAD
    from models.weights import sha256
    from training.export import weights_folder
    from training.hate import report

    shelf = place / "weights"
    shelf.mkdir()
    for one in (ROOT / "weights").iterdir():
        (shelf / one.name).symlink_to(one)
    source = ClipSource()
    repo = source.repo()
    assert repo is not None
    blob = place / "models" / repo.id / "open_clip_model.safetensors"
    net = CrossAttention(CrossAttentionSettings(image_width=768, text_width=512, outputs=1))
    before = os.environ.get("SUBTEXT_WEIGHTS")
    os.environ["SUBTEXT_WEIGHTS"] = str(shelf)
    try:
        weights_folder.write(
            HEAD,
            config={
                "labels": ["hate"],
                "architecture": {"image_width": 768, "text_width": 512},
                "encoder": {
                    "model": source.model, "pretrained": source.pretrained, "revision": "", "weights": sha256(blob),
                    "repo": {"id": repo.id, "revision": repo.revision, "files": repo.files},
                },
                "calibration": {"hate": {"scale": 1.0, "offset": 0.0}},
                "thresholds": {"hate": 0.5},
                "bands": {"review_from": 0.4, "hateful_from": 0.6},
            },
            metrics={},
            readme="random weights, for timing",
            graph=report._graph(net.eval()),
        )  # fmt: skip
    finally:
        os.environ.pop("SUBTEXT_WEIGHTS")
        if before is not None:
            os.environ["SUBTEXT_WEIGHTS"] = before
