"""The net, its augmentation, and a training on a few drawn faces from rows to a folder that the app loads."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from models.emotions.expressions import LABELS, SIDE, ExpressionClassifier, prepare
from training.config import load_config
from training.datasets.published import VOTES
from training.emotions import faces as face_training
from training.emotions.face_model import Augmentation, ExpressionNet, MultiScale, fold_norms

UNCHANGED = Augmentation(turn=0.0, zoom=(1.0, 1.0), shift=0.0, light=0.0, erase=0.0)


def test_the_net_takes_any_side_and_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    net = ExpressionNet([4, 8], [1, 2], dropout=0.5)
    for _ in range(3):
        net(torch.randn(16, 1, SIDE, SIDE) * 2 + 1)  # moves the running means and spreads of the norms
    net.eval()
    for side in (32, 40, SIDE):
        faces = torch.randn(3, 1, side, side)
        assert net(faces).shape == (3, len(LABELS))
        assert torch.allclose(fold_norms(net)(faces), net(faces), atol=1e-5)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in fold_norms(net).modules())


def test_several_sizes_are_averaged_and_the_own_size_is_unchanged() -> None:
    torch.manual_seed(0)
    net, faces = ExpressionNet([4, 8], [1, 2]).eval(), torch.randn(3, 1, SIDE, SIDE)
    assert torch.equal(MultiScale(net, [SIDE])(faces), net(faces))
    larger = MultiScale(net, [56])(faces)
    assert not torch.allclose(larger, net(faces))
    assert torch.allclose(MultiScale(net, [SIDE, 56])(faces), (net(faces) + larger) / 2, atol=1e-6)


def test_augmenting_without_change_mirrors_or_copies() -> None:
    torch.manual_seed(0)
    faces = torch.randn(40, 1, SIDE, SIDE)
    changed = UNCHANGED(faces, SIDE)
    same = (changed - faces).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (changed - faces.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    assert (same | mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_a_smaller_side_shows_the_middle_at_the_same_scale() -> None:
    torch.manual_seed(0)
    faces = torch.randn(40, 1, SIDE, SIDE)
    middle = faces[..., 4:44, 4:44]
    changed = UNCHANGED(faces, 40)
    gaps = torch.minimum((changed - middle).abs().amax((1, 2, 3)), (changed - middle.flip(-1)).abs().amax((1, 2, 3)))
    assert gaps.max() < 1e-4


def test_erasing_blanks_a_rectangle_and_light_moves_the_mean() -> None:
    torch.manual_seed(0)
    ones = torch.ones(50, 1, SIDE, SIDE)
    erased = replace(UNCHANGED, erase=1.0)(ones, SIDE)
    shares = (erased == 0).float().mean((1, 2, 3))
    assert ((shares > 0) & (shares < 0.2)).all()
    lit = replace(UNCHANGED, light=0.3)(ones, SIDE).mean((1, 2, 3))
    assert lit.std() > 0.2


def test_training_writes_a_folder_that_the_app_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    small = load_config("face_expressions", face_training.FaceConfig)
    stages = tuple(replace(small.stages[0], epochs=epochs) for epochs in (2, 1))
    small = replace(small, widths=(4, 8), depths=(1, 2), batch_size=14, stages=stages)
    monkeypatch.setattr(face_training, "load_config", lambda *_: small)
    for split in ("train", "validation"):
        draw(tmp_path / f"fer2013.{split}.parquet", count=28)
    args = Namespace(data=str(tmp_path), out=str(tmp_path / "out"), resume=False, seed=None, epochs=None, limit=None)
    face_training.fit(args)
    classifier = ExpressionClassifier(threads=1)
    metrics = json.loads((tmp_path / "weights" / "face_expressions" / "metrics.json").read_text())
    assert [(epoch["stage"], epoch["epoch"]) for epoch in metrics["curves"]] == [(1, 0), (1, 1), (2, 0)]
    assert {"label", "vote", "val_accuracy", "val_nll"} <= set(metrics["curves"][0])
    card = classifier.card.config
    face = Image.fromarray(np.random.default_rng(5).integers(0, 256, (SIDE, SIDE), dtype=np.uint8))
    best = torch.load(tmp_path / "out" / "stage_2" / "best.ckpt", weights_only=False)["state_dict"]
    expressions = ExpressionNet([4, 8], [1, 2]).eval()
    prefix = "average.module."
    expressions.load_state_dict({key[len(prefix) :]: value for key, value in best.items() if key.startswith(prefix)})
    net = MultiScale(expressions, card["sides"])
    with torch.no_grad():
        pixels = torch.from_numpy(prepare(face))[None]
        expected = ((net(pixels) + net(pixels.flip(-1))) / 2 / card["temperature"]).softmax(1).numpy()
    assert np.allclose(classifier.probabilities([face]), expected, atol=2e-3)  # the tensors are stored in float16
    first = torch.load(tmp_path / "out" / "stage_1" / "best.ckpt", weights_only=False)["state_dict"]
    heads = [key for key in best if key.endswith("head.weight")]
    assert all((first[key] != best[key]).any() for key in heads)  # the second stage learns
    args.resume = True
    face_training.fit(args)  # all epochs are done: it writes the folder again and trains nothing
    again = json.loads((tmp_path / "weights" / "face_expressions" / "metrics.json").read_text())
    assert again["curves"] == metrics["curves"]


def draw(path: Path, count: int) -> None:
    """Noise in FER-2013's layout: brighter above for some labels, below for others."""
    rng = np.random.default_rng(0)
    pictures, labels = [], [LABELS[number % len(LABELS)] for number in range(count)]
    for number in range(count):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 100 + 20 * (number % 7), (SIDE, SIDE), dtype=np.uint8)).save(buffer, "PNG")
        pictures.append(buffer.getvalue())
    votes = {name: [1.0] * count for name in VOTES}
    pq.write_table(pa.table({"image": pictures, "label": labels, **votes}), path)
