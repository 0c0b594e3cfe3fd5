"""EMOTIC from its official layout to figures: converted, trained and evaluated on people drawn here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from sklearn.metrics import average_precision_score
from torch.nn.functional import cross_entropy, normalize

from models.errors import BadInput
from tests.emotic_for_tests import cell, continuous, entry, struct, structs
from training.cli import main
from training.datasets.emotic import CATEGORIES, read_people
from training.emotic.metrics import category_metrics
from training.emotic.model import DESCRIPTIONS, align
from training.emotic.train import person_features
from training.engine.losses import info_nce
from training.retrieval import data as retrieval_data

# What is drawn: the colour of the person tells the categories, and how pleasant it is.
KINDS = {
    (220, 40, 40): (["Anger", "Aversion"], (2, 8, 7)),
    (40, 200, 60): (["Peace"], (8, 2, 6)),
    (40, 60, 220): (["Sadness", "Fear"], (3, 6, 2)),
}
COUNTS = {"train": 24, "val": 9, "test": 12}


@dataclass(frozen=True)
class TrainedEmotic:
    """Folders of a trained model: the converted data, the weights, the run."""

    folder: Path
    weights: Path
    out: Path


def drawn(folder: Path) -> Path:
    """Pictures and Annotations.mat in the official layout; returns the folder of the pictures."""
    rng = np.random.default_rng(0)
    images = folder / "emotic" / "mscoco" / "images"
    images.mkdir(parents=True)
    splits = {}
    for split, count in COUNTS.items():
        entries = []
        for number in range(count):
            colour, (names, ratings) = list(KINDS.items())[number % len(KINDS)]
            picture = Image.fromarray(rng.integers(90, 160, size=(96, 128, 3), dtype=np.uint8))
            left = int(rng.integers(0, 60))
            picture.paste(colour, (left, 10, left + 50, 90))
            picture.save(images / f"{split}-{number}.png")
            person = struct(
                body_bbox=np.array([[left, 10, left + 50, 90]], float),
                annotations_categories=struct(categories=cell(names)),
                annotations_continuous=continuous(*ratings),
                gender="Female",
                age="Adult",
            )
            entries.append(entry(f"{split}-{number}.png", [person]))
        splits[split] = structs(entries)
    savemat(folder / "Annotations.mat", splits)
    return folder / "emotic"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainedEmotic]:
    """Converted and trained through the command line, once."""
    folder = tmp_path_factory.mktemp("emotic")
    pictures = drawn(folder)
    weights = folder / "weights"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(weights))
        annotations, arrays = str(folder / "Annotations.mat"), str(folder / "arrays")
        assert main(["convert-emotic", annotations, str(pictures), arrays]) == 0
        assert main(["fit", "joint_emotic", "--data", arrays, "--out", str(folder / "run"), "--epochs", "8"]) == 0
        yield TrainedEmotic(folder / "arrays", weights, folder / "run")


def test_the_losses_fall_and_the_card_shows_both_models(trained: TrainedEmotic) -> None:
    history = json.loads((trained.out / "history.json").read_text())
    first, last = history[0], history[-1]
    assert len(history) == 8
    for name in ("loss", "align", "categories", "ratings"):
        assert last[name] < 0.8 * first[name], name
    metrics_by_set = json.loads((trained.weights / "joint_emotic" / "metrics.json").read_text())
    joint, late, more = (value for key, value in metrics_by_set.items() if key.startswith("emotic, test"))
    assert joint["rows"] == late["rows"] == 12
    assert joint["mean_average_precision"] > joint["mean_average_precision_majority"] + 0.3
    assert more["mean_average_precision"] == pytest.approx(
        joint["mean_average_precision"] - late["mean_average_precision"]
    )
    card = (trained.weights / "joint_emotic" / "README.md").read_text()
    assert "24 train, 9 validation, 12 test" in card and "Doubt/Confusion" not in card
    assert f"{joint['average_precision_anger']:.3f} (" in card


def test_evaluate_gives_the_metrics_of_the_card(trained: TrainedEmotic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(trained.weights))
    out, predictions = trained.out / "figures.json", trained.out / "told.parquet"
    arguments = [
        "evaluate",
        "emotic",
        "--data",
        str(trained.folder / "test.csv"),
        "--json",
        str(out),
        "--predictions",
        str(predictions),
    ]
    assert main(arguments) == 0
    report = json.loads(out.read_text())
    metrics_by_set = json.loads((trained.weights / "joint_emotic" / "metrics.json").read_text())
    card = next(value for key, value in metrics_by_set.items() if key.startswith("emotic, test"))
    assert report["rows"] == report["labelled"] == 12
    # The card's figures come from torch and float16 features, these from the 8-bit graph that ships.
    assert report["metrics"]["mean_average_precision"] == pytest.approx(card["mean_average_precision"], abs=0.1)
    assert report["metrics"]["valence_mae"] == pytest.approx(card["valence_mae"], abs=0.15)
    assert report["metrics"]["valence_mae"] < 0.7 * report["metrics"]["valence_mae_majority"]
    assert {"valence_pearson_low", "dominance_mae_high", "average_precision_fear_majority"} <= set(report["metrics"])
    assert predictions.is_file()


def test_features_are_cached_for_the_next_run(trained: TrainedEmotic, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(size: int) -> None:
        raise AssertionError("the features are cached")

    monkeypatch.setattr(retrieval_data, "stages_session", never)
    people = read_people(trained.folder, "validation")
    features = person_features(people, trained.out / "cache", variants=1, seed=7)
    assert features.shape == (1, 9, 2 * 1712) and np.isfinite(features).all()


def test_an_error_names_what_is_missing(
    trained: TrainedEmotic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "joint_emotic", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "lacks train_context.npy, train_body.npy" in capsys.readouterr().err
    for file in trained.folder.iterdir():
        if file.name != "validation_body.npy":
            os.link(file, tmp_path / file.name)
    with pytest.raises(BadInput, match=r"lacks validation_body.npy: make it with `python -m training convert-emotic"):
        read_people(tmp_path, "validation")
    np.save(tmp_path / "validation_body.npy", np.zeros((3, 128, 128, 3), np.uint8))
    with pytest.raises(BadInput, match="do not fit each other"):
        read_people(tmp_path, "validation")
    (tmp_path / "validation_body.npy").write_bytes(b"broken")
    with pytest.raises(BadInput, match="damaged"):
        read_people(tmp_path, "validation")
    assert (
        main(["evaluate", "emotic", "--data", str(tmp_path / "nothing.parquet"), "--json", str(tmp_path / "x.json")])
        == 2
    )
    assert "test.csv" in capsys.readouterr().err


def test_without_weights_an_error_says_who_has_the_data(
    trained: TrainedEmotic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    table = str(trained.folder / "test.csv")
    assert main(["evaluate", "emotic", "--data", table, "--json", str(tmp_path / "x.json")]) == 2
    assert "EMOTIC comes from its owners" in capsys.readouterr().err


def test_people_and_categories_are_drawn_together_by_info_nce() -> None:
    generator = torch.Generator().manual_seed(0)
    people, categories = (normalize(torch.randn(n, 8, generator=generator), dim=-1) for n in (3, 26))
    y_true = torch.zeros(3, 26, dtype=torch.bool)
    for row, column in ((0, 4), (1, 4), (2, 9)):
        y_true[row, column] = True
    scale = torch.tensor(7.0)
    to_categories = cross_entropy(scale * people @ categories.T, torch.tensor([4, 4, 9]))  # each has one category
    nothing = torch.zeros(1, 3, dtype=torch.bool)
    to_people = [
        info_nce(
            categories[4:5], people[[0, 2]], torch.tensor([0]), scale, ignored=nothing[:, :2]
        ),  # person 1 has it too
        info_nce(categories[4:5], people[[1, 2]], torch.tensor([0]), scale, ignored=nothing[:, :2]),
        info_nce(categories[9:10], people, torch.tensor([2]), scale, ignored=nothing),
    ]
    expected = (to_categories + torch.stack(to_people).mean()) / 2
    assert align(people, categories, y_true, scale, hardness=0.0).item() == pytest.approx(expected.item(), abs=1e-5)
    assert align(people, categories, y_true, scale, hardness=2.0) != expected
    nobody = torch.zeros(3, 26, dtype=torch.bool)
    assert align(people, categories, nobody, scale, hardness=1.0).item() == 0


def test_average_precision_with_intervals_and_the_constant_answer() -> None:
    rng = np.random.default_rng(1)
    y_true = np.zeros((60, 26))
    y_true[:, 3], y_true[:20, 7] = rng.random(60) < 0.4, 1
    scores = np.round(y_true * 0.5 + rng.random((60, 26)), 1)  # with ties
    pictures = np.repeat(np.arange(30), 2)
    report = category_metrics(y_true, scores, pictures, resamples=50)
    expected = [average_precision_score(y_true[:, at], scores[:, at]) for at in (3, 7)]
    assert report["average_precision_anticipation"] == pytest.approx(expected[0])
    assert report["mean_average_precision"] == pytest.approx(np.mean(expected))
    assert report["average_precision_disconnection_majority"] == pytest.approx(1 / 3)
    assert (
        report["mean_average_precision_low"] < report["mean_average_precision"] < report["mean_average_precision_high"]
    )
    assert len([key for key in report if key.endswith("_majority")]) == 3  # no figure of categories that nobody has
    assert category_metrics(np.zeros((3, 26)), scores[:3], pictures[:3]) == {}


def test_each_category_is_described() -> None:
    assert tuple(DESCRIPTIONS) == CATEGORIES
