"""With a connection: a system with a hub's tower trains to the end, and says that the app cannot run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertModel, BertTokenizer

from tests.training.multitask import test_train
from tests.training.multitask.test_train import drawn, small
from training.backbones import registry
from training.datasets.dataset import Dataset
from training.multitask import config, train
from training.multitask import data as system

BUILD = registry.build
shelf = test_train.shelf
NAME = "memotion_roberta"


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A tiny BERT in a folder, as `from_pretrained` takes it in the place of a hub's name."""
    folder = tmp_path / "bert"
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    settings = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(settings).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tune", [False, True])
def test_a_hub_s_tower_trains_to_the_end_and_ships_nothing(
    tune: bool, bert: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(system.backbones, "build", BUILD)
    recipe = small(NAME)
    assert recipe.text is not None
    recipe = replace(recipe, text=replace(recipe.text, encoder=f"hf:{bert}", tune=tune, longest=16))
    recipe = replace(recipe, schedule=replace(recipe.schedule, epochs=1))
    figures = train.run(recipe, None, tmp_path / "run", rows=drawn(recipe.data))
    assert any("macro_f1" in row for row in figures.values() if isinstance(row, dict))
    assert {"metrics.json", "predictions.npz", "README.md"} <= {file.name for file in (tmp_path / "run").iterdir()}
    assert not (shelf / NAME).exists()
    assert f"Trained with hf:{bert}, which the app cannot run" in capsys.readouterr().out


def test_a_try_on_a_few_rows_leaves_what_ships(shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = small("memotion_gmu")
    recipe = replace(recipe, schedule=replace(recipe.schedule, epochs=1))
    train.run(recipe, None, tmp_path / "run", train.argparse.Namespace(limit=40), rows=drawn(recipe.data))
    assert not (shelf / "memotion_gmu").exists()
    assert "Trained on a few rows, to try things out: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epochs": 1}, "with --epochs 1"),
        ({"folds": 3}, "with --folds 3"),
        ({"folds": 3, "epochs": 1, "limit": 40}, "on a few rows and with --folds 3 and with --epochs 1"),
        ({"folds": 2, "epochs": 4}, ""),  # the recipe's own
    ],
)
def test_other_folds_or_epochs_than_the_recipe_s_are_a_try(
    options: dict[str, int],
    told: str,
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def read(name: str, args: Any = None) -> config.SystemRecipe:
        own = small(name)
        given = {key: getattr(args, key, None) or getattr(own.schedule, key) for key in ("folds", "epochs")}
        return replace(own, schedule=replace(own.schedule, **given))

    monkeypatch.setattr(train, "read", read)
    monkeypatch.setattr(Dataset, "load", lambda dataset, split, folder: (drawn(dataset.name), []))
    given = {"name": "memotion_gmu", "data": None, "out": str(tmp_path / "run"), **options}
    train.fit(train.argparse.Namespace(**given))
    assert (shelf / "memotion_gmu").exists() == (not told)
    way = f"Trained {told}, to try things out: all of it is in {tmp_path / 'run'}, and weights/memotion_gmu stays as it was."
    assert (way in capsys.readouterr().out) == bool(told)
