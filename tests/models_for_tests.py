"""Tiny models in the very format of the hub: what `save_pretrained` and open_clip write, with random weights."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from torch import nn

from models.emotions.expressions import LABELS as EXPRESSIONS
from models.emotions.pretrained import ROBERTA, VIT
from models.emotions.text import LABELS as EMOTIONS

CLIP = {
    "model_cfg": {
        "embed_dim": 32,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 32, "head_width": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
}

_FOLDER = tempfile.TemporaryDirectory(prefix="subtext-models-")


def write_clip(
    folder: Path, *, text: dict[str, object] | None = None, whole: dict[str, object] | None = None, **vision: object
) -> Path:
    """A folder in open_clip's layout; `vision`, `text` and `whole` change the towers and what holds them."""
    import open_clip
    from safetensors.torch import save_file

    settings = json.loads(json.dumps(CLIP))
    settings["model_cfg"]["vision_cfg"] |= vision
    settings["model_cfg"]["text_cfg"] |= text or {}
    settings["model_cfg"] |= whole or {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    torch.manual_seed(5)
    model = open_clip.create_model(f"local-dir:{folder}")
    for parameter in model.parameters():  # larger than at the start of training, so that words and pictures matter
        nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    return folder


def write_roberta(folder: Path) -> Path:
    """RoBERTa with 28 labels and a tokenizer of single bytes."""
    from transformers import RobertaConfig, RobertaForSequenceClassification, RobertaTokenizerFast

    torch.manual_seed(6)
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(point) for point in (*range(33, 127), 288)]  # 288: how byte-level tokenizers write a space
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({piece: at for at, piece in enumerate([*marks, *letters])}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    RobertaTokenizerFast(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    settings = RobertaConfig(
        vocab_size=len(marks) + len(letters),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=66,
        type_vocab_size=1,
        initializer_range=0.3,
        id2label=dict(enumerate(EMOTIONS)),
        label2id={label: at for at, label in enumerate(EMOTIONS)},
        problem_type="multi_label_classification",
    )
    RobertaForSequenceClassification(settings).save_pretrained(folder)
    return folder


def write_vit(folder: Path) -> Path:
    """ViT with the seven expressions and its image processor."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    torch.manual_seed(7)
    settings = ViTConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=224,
        patch_size=56,
        initializer_range=0.3,
        id2label=dict(enumerate(EXPRESSIONS)),
        label2id={label: at for at, label in enumerate(EXPRESSIONS)},
    )
    ViTForImageClassification(settings).save_pretrained(folder)
    ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(folder)
    return folder


def write_all(folder: Path) -> Path:
    """All three where `SUBTEXT_MODELS` would have them."""
    write_clip(folder / "org" / "clip")
    write_roberta(folder / ROBERTA.id)
    write_vit(folder / VIT.id)
    return folder


@cache
def shared() -> Path:
    """The same folder for all tests of a run; it goes when the run ends."""
    return write_all(Path(_FOLDER.name))


def write_head(encoder_identity: dict[str, object], *, image_width: int, text_width: int) -> Path:
    """A `clip` head of random weights in weights/, as training writes it."""
    from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
    from models.profiles.registry import HEAD
    from training.export import weights_folder
    from training.hate import report

    torch.manual_seed(8)
    net = CrossAttention(CrossAttentionSettings(image_width, text_width, width=12, heads=2, outputs=1))
    return weights_folder.write(
        HEAD,
        config={
            "labels": ["hate"],
            "architecture": {"image_width": image_width, "text_width": text_width},
            "encoder": encoder_identity,
            "calibration": {"hate": {"scale": 3.0, "offset": 0.0}},
            "thresholds": {"hate": 0.5},
            "bands": {"review_from": 0.4, "hateful_from": 0.6},
        },
        metrics={},
        readme="tiny",
        graph=report.export_graph(net.eval()),
    )
