"""A new data set and a new task are one file each: trained, evaluated and shown on the Evaluation page.

The two files and the configuration are taken from `docs/extending.md`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from tests import wordings
from training import datasets, tasks
from training.cli import main
from training.datasets import registry as dataset_registry
from training.multitask import config, train
from training.tasks import registry as task_registry

if TYPE_CHECKING:
    from tests.fakes import FakeAnalyzer
    from tests.weights_for_tests import Tiny

ROOT = Path(__file__).parents[2]
DATASET, TASK, CONFIG = re.findall(
    r"`training/[a-z/]+/toy\.[a-z]+`:\n\n```[a-z]+\n(.*?)```", (ROOT / "docs" / "extending.md").read_text(), re.DOTALL
)


@pytest.fixture
def toy(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data/, configs/ and weights/, and the two new modules where the packages find them."""
    for package, registry, name, text in (
        (datasets, dataset_registry, "DATASETS", DATASET),
        (tasks, task_registry, "TASKS", TASK),
    ):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / "toy.py").write_text(text)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
        monkeypatch.setattr(registry, name, registry.collect())
    for name in ("data", "configs", "weights"):
        (tmp_path / name).mkdir()
    (tmp_path / "configs" / "toy.toml").write_text(CONFIG)
    for folder in tiny.root.iterdir():
        (tmp_path / "weights" / folder.name).symlink_to(folder)
    for split, rows in (("train", 48), ("validation", 16)):
        moods = ["gloomy" if number % 3 else "sunny" for number in range(rows)]
        texts = [f"{'dark rain' if mood == 'gloomy' else 'warm light'} number {n}" for n, mood in enumerate(moods)]
        pq.write_table(pa.table({"text": texts, "mood": moods}), tmp_path / "data" / f"toy.{split}.parquet")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("SUBTEXT_DATA", str(tmp_path / "data"))
    return tmp_path


def test_two_files_bring_a_task_from_training_to_the_page(toy: Path, analyzer: FakeAnalyzer) -> None:
    train.run(config.load("toy", folder=toy / "configs"), str(toy / "data"), toy / "runs" / "toy")
    data, out = toy / "data" / "toy.validation.parquet", toy / "out.json"
    assert main(["evaluate", "toy-mood", "--data", str(data), "--json", str(out)]) == 0
    report = json.loads(out.read_text())
    assert (report["system"], report["rows"], report["labelled"]) == ("toy", 16, 16)
    assert {"macro_f1", "macro_f1_low", "macro_f1_high", "macro_f1_majority"} <= set(report["metrics"])

    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/evaluation/models.py").run()
    assert not app.exception and not app.error
    table = app.dataframe[0].value
    rows = table[table[wordings.TASK] == "toy-mood"]
    assert set(rows[wordings.MODEL]) == {"Toy: moods"}
    assert (
        report["metrics"]["macro_f1"] in rows[wordings.MACRO_F1].tolist()
    )  # of the validation rows, as `fit` measured them
    app.selectbox(key="model").select("Toy: moods").run()
    assert not app.exception and not app.error
