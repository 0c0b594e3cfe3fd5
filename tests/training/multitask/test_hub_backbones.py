"""With a connection: a system with a hub's tower trains to the end, and says that the app cannot run it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel, BertTokenizer

from tests.multitask_for_tests import drawn, scheduled, small
from training.backbones import registry
from training.multitask import train

BUILD = registry.build
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


@pytest.mark.parametrize("finetune", [False, True])
def test_a_hub_s_tower_trains_to_the_end_and_ships_nothing(
    finetune: bool,
    bert: Path,
    shelf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(registry, "build", BUILD)
    config = scheduled(small(NAME), epochs=1)
    assert config.text is not None
    config = replace(config, text=replace(config.text, encoder=f"hf:{bert}", finetune=finetune, max_length=16))
    figures = train.run(config, None, tmp_path / "run", rows=drawn(config.data))
    assert any("macro_f1" in row for row in figures.values() if isinstance(row, dict))
    assert {"metrics.json", "predictions.npz", "README.md"} <= {file.name for file in (tmp_path / "run").iterdir()}
    assert not (shelf / NAME).exists()
    assert f"Trained with hf:{bert}, which the app cannot run" in capsys.readouterr().out
