"""A whole `weights/` of tiny random networks, written by the very code that writes the real one.

Every graph has the inputs, outputs and token widths of the shipped one; only what lies between is small.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from models import weights as shelf
from models.emotions.expressions import LABELS as EXPRESSIONS
from models.emotions.expressions import SIDE
from models.emotions.text import LABELS as EMOTIONS
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from tests import vocabulary_for_tests
from tests.built_once import built_once
from training.backbones.pretrained import (
    PictureForExport,
    WordsForExport,
    WordTokensForExport,
    export_picture,
    export_words,
)
from training.emotions.face_model import ExpressionNet, fold_norms
from training.engine.linear_branch import LinearBranch
from training.export import weights_folder
from training.hate import report

SHIPPED = Path(__file__).resolve().parents[1] / "weights"
SOURCES = (  # what the tiny networks and their files are made by
    "tests/*_for_tests.py", "requirements*.txt", "training/export/*.py", "training/backbones/pretrained.py",
    "training/emotions/face_model.py",
    "training/engine/linear_branch.py", "training/hate/*.py", "models/fusion/*.py", "models/weights.py",
)  # fmt: skip


@dataclass(frozen=True)
class Tiny:
    """The folder, and the torch modules whose graphs lie in it."""

    root: Path
    together: report.Ensemble
    tower: WordTokensForExport
    picture: PictureForExport


@cache
def once() -> Tiny:
    """The same folder and networks for all tests."""
    folder = built_once("tiny", SOURCES, write)
    _, _, picture, tower, together = networks()
    return Tiny(folder, together, tower, picture)


def networks() -> tuple[nn.Module, nn.Module, PictureForExport, WordTokensForExport, report.Ensemble]:
    """Text emotions, expressions, both towers and the verdict: the same random weights at each call."""
    torch.manual_seed(3)
    emotions = WordsForExport(_bert(), nn.Linear(384, len(EMOTIONS)))
    expressions = fold_norms(ExpressionNet([4, 4], [1, 1]))
    picture = PictureForExport(_Patches(), nn.Linear(1280, 512)).eval()
    tower = WordTokensForExport(_bert(), nn.Linear(768, 512), lower=2).eval()
    nets = [CrossAttention(CrossAttentionSettings(width=12, heads=2)) for _ in range(2)]
    return emotions, expressions, picture, tower, report.Ensemble(nets, _linear_branch()).eval()


def write(root: Path) -> None:
    """Everything that `Analyzer` loads, into `root`."""
    emotions, expressions, picture, tower, together = networks()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(root))
        shutil.copytree(SHIPPED / "face_detector", root / "face_detector")
        for name in ("mini_vocabulary", "minilm_vocabulary"):
            vocabulary_for_tests.write(root / name)
        _write("mini_picture", export_picture(picture), kind="patches")
        vocabulary = {"mini_vocabulary": shelf.card("mini_vocabulary").identity}
        _write("mini_words", export_words(tower, ("tokens", "pooled")), vocabulary=vocabulary)
        labels, thresholds = list(EMOTIONS), dict.fromkeys(EMOTIONS, 0.5)
        graph = export_words(emotions)
        english = {"minilm_vocabulary": shelf.card("minilm_vocabulary").identity}
        _write("text_emotions", graph, vocabulary=english, labels=labels, thresholds=thresholds)
        faces, axes = [torch.randn(2, 1, SIDE, SIDE)], {"faces": {0: "batch"}}
        graph = weights_folder.trace(expressions, faces, names=["faces"], outputs=["logits"], dynamic=axes)
        _write("face_expressions", graph, labels=list(EXPRESSIONS), side=SIDE, temperature=1.0)
        _write(
            "hate_cross_attention",
            report.export_graph(together),
            labels=["hate", "harm"],
            architecture={"image_width": 1280, "text_width": 768},
            encoder={name: shelf.card(name).identity for name in ("mini_picture", "mini_words", "mini_vocabulary")},
            calibration={"hate": {"scale": 2.0, "offset": -0.5}, "harm": {"scale": 0.5, "offset": 1.0}},
            thresholds={"hate": 0.5, "harm": 0.4},
            bands={"review_from": 0.4, "hateful_from": 0.6},
        )


def _linear_branch() -> LinearBranch:
    branch = LinearBranch({"image": 1280, "text": 768}, 2)
    for layer in branch.layers.values():
        nn.init.normal_(layer.weight, std=0.02)
    return branch


class _Patches(nn.Module):
    """7x7 patches of 1280 numbers, as EfficientNet-Lite0 gives them, from one look at 32x32 pixels each."""

    def __init__(self) -> None:
        super().__init__()
        self.look, self.widen = nn.Conv2d(3, 8, 32, stride=32), nn.Conv2d(8, 1280, 1)

    def forward_features(self, pixels: Tensor) -> Tensor:
        return self.widen(self.look(pixels).tanh())  # (B, 1280, 7, 7)


def _bert() -> nn.Module:
    settings = BertConfig(
        vocab_size=8,
        hidden_size=384,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        initializer_range=0.1,
    )
    return BertModel(settings, add_pooling_layer=False).eval()


def _write(name: str, graph: object, **config: object) -> None:
    weights_folder.write(name, config=config, metrics={}, readme="tiny", graph=graph)  # type: ignore[arg-type]
