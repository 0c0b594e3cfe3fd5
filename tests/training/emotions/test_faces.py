"""The net, its augmentation, and a fitting of a few drawn faces from rows to a folder that the app loads."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from models.emotions.expressions import LABELS, SIDE, ExpressionClassifier, prepare
from training.datasets.fer2013 import VOTES
from training.emotions import faces
from training.emotions.face_model import AtSizes, ExpressionNet, augment, folded

STILL = {"turn": 0.0, "zoom": [1.0, 1.0], "shift": 0.0, "light": 0.0, "erase": 0.0}


def test_the_net_takes_any_side_and_folding_changes_nothing() -> None:
    torch.manual_seed(0)
    net = ExpressionNet([4, 8], [1, 2], dropout=0.5)
    for _ in range(3):
        net(torch.randn(16, 1, SIDE, SIDE) * 2 + 1)  # moves the running means and spreads of the norms
    net.eval()
    for side in (32, 40, SIDE):
        seen = torch.randn(3, 1, side, side)
        assert net(seen).shape == (3, len(LABELS))
        assert torch.allclose(folded(net)(seen), net(seen), atol=1e-5)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded(net).modules())


def test_several_sizes_are_averaged_and_the_own_size_is_left_alone() -> None:
    torch.manual_seed(0)
    net, seen = ExpressionNet([4, 8], [1, 2]).eval(), torch.randn(3, 1, SIDE, SIDE)
    assert torch.equal(AtSizes(net, [SIDE])(seen), net(seen))
    larger = AtSizes(net, [56])(seen)
    assert not torch.allclose(larger, net(seen))
    assert torch.allclose(AtSizes(net, [SIDE, 56])(seen), (net(seen) + larger) / 2, atol=1e-6)


def test_augmenting_without_change_mirrors_or_leaves_alone() -> None:
    torch.manual_seed(0)
    seen = torch.randn(40, 1, SIDE, SIDE)
    changed = augment(seen, side=SIDE, **STILL)
    same = (changed - seen).abs().amax((1, 2, 3)) < 1e-4
    mirrored = (changed - seen.flip(-1)).abs().amax((1, 2, 3)) < 1e-4
    assert (same | mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_a_smaller_side_sees_the_middle_at_the_same_scale() -> None:
    torch.manual_seed(0)
    seen = torch.randn(40, 1, SIDE, SIDE)
    middle = seen[..., 4:44, 4:44]
    changed = augment(seen, side=40, **STILL)
    gaps = torch.minimum((changed - middle).abs().amax((1, 2, 3)), (changed - middle.flip(-1)).abs().amax((1, 2, 3)))
    assert gaps.max() < 1e-4


def test_erasing_blanks_a_rectangle_and_light_moves_the_mean() -> None:
    torch.manual_seed(0)
    ones = torch.ones(50, 1, SIDE, SIDE)
    erased = augment(ones, side=SIDE, **STILL | {"erase": 1.0})
    shares = (erased == 0).float().mean((1, 2, 3))
    assert ((shares > 0) & (shares < 0.2)).all()
    lit = augment(ones, side=SIDE, **STILL | {"light": 0.3}).mean((1, 2, 3))
    assert lit.std() > 0.2


def test_the_temperature_mends_overconfidence() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 7))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([random.choice(7, p=row) for row in chances])
    assert faces.temperature_of(logits * 2.5, truth) == pytest.approx(2.5, rel=0.1)


def test_fitting_writes_a_folder_that_the_app_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    recipe = tmp_path / "recipe.toml"
    common, stage, _ = faces.RECIPE.read_text().split("\n[[stages]]\n")
    small = common.replace("[32, 64, 128, 256]", "[4, 8]").replace("[1, 2, 2, 2]", "[1, 2]").replace("128", "14")
    stages = [stage.replace("epochs = 26", f"epochs = {epochs}") for epochs in (2, 1)]
    recipe.write_text("\n[[stages]]\n".join([small, *stages]))
    monkeypatch.setattr(faces, "RECIPE", recipe)
    for part in ("train", "validation"):
        draw(tmp_path / f"fer2013.{part}.parquet", count=28)
    args = Namespace(
        data=str(tmp_path), out=str(tmp_path / "out"), resume=False, seed=1, epochs=None, limit=None, profile="mini"
    )
    faces.fit(args)
    classifier = ExpressionClassifier(threads=1)
    found = json.loads((tmp_path / "weights" / "face_expressions" / "metrics.json").read_text())
    assert [(epoch["stage"], epoch["epoch"]) for epoch in found["curves"]] == [(1, 0), (1, 1), (2, 0)]
    assert {"label", "vote", "val_accuracy", "val_nll"} <= set(found["curves"][0])
    card = classifier.card.config
    face = Image.fromarray(np.random.default_rng(5).integers(0, 256, (SIDE, SIDE), dtype=np.uint8))
    kept = torch.load(tmp_path / "out" / "stage_2" / "best.ckpt", weights_only=False)["state_dict"]
    net = ExpressionNet([4, 8], [1, 2]).eval()
    net.load_state_dict(
        {k.removeprefix("average.module."): v for k, v in kept.items() if k.startswith("average.module.")}
    )
    net = AtSizes(net, card["sides"])
    with torch.no_grad():
        seen = torch.from_numpy(prepare(face))[None]
        expected = ((net(seen) + net(seen.flip(-1))) / 2 / card["temperature"]).softmax(1).numpy()
    assert np.allclose(classifier.probabilities([face]), expected, atol=2e-3)  # the tensors are stored in float16
    first = torch.load(tmp_path / "out" / "stage_1" / "best.ckpt", weights_only=False)["state_dict"]
    assert all(
        (first[key] != kept[key]).any() for key in kept if key.endswith("head.weight")
    )  # the second stage learns
    args.resume = True
    faces.fit(args)  # all epochs are done: it writes the folder again and fits nothing
    again = json.loads((tmp_path / "weights" / "face_expressions" / "metrics.json").read_text())
    assert again["curves"] == found["curves"]


def draw(path: Path, count: int) -> None:
    """Noise in FER-2013's layout: brighter above for some labels, below for others."""
    random = np.random.default_rng(0)
    pictures, labels = [], [LABELS[number % len(LABELS)] for number in range(count)]
    for number in range(count):
        held = io.BytesIO()
        Image.fromarray(random.integers(0, 100 + 20 * (number % 7), (SIDE, SIDE), dtype=np.uint8)).save(held, "PNG")
        pictures.append(held.getvalue())
    votes = {name: [1.0] * count for name in VOTES}
    pq.write_table(pa.table({"image": pictures, "label": labels, **votes}), path)
