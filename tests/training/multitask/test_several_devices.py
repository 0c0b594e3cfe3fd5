"""`python -m training fit … --devices 2 --strategy ddp` as users start it: two processes on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from tests.multitask_for_tests import drawn

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

ROOT = Path(__file__).parents[3]
NAME = "memotion_early"  # layers of it get no gradient, and its linear branch is fitted in each process


def written(folder: Path, part: str, count: int) -> None:
    rows = drawn("memotion", count)
    columns = {
        "image_name": [row.id for row in rows],
        "text": [row.text for row in rows],
        "image": [row.image for row in rows],
        "overall_sentiment": [row.label for row in rows],
        "group": [row.group for row in rows],
        **{aspect: [row.details[aspect] for row in rows] for aspect in rows[0].details},
    }
    pq.write_table(pa.table(columns), folder / f"memotion.{part}.parquet")


def test_two_processes_train_one_system(tiny: Tiny, tmp_path: Path) -> None:
    shelf, run = tmp_path / "weights", tmp_path / "run"
    shelf.mkdir()
    for name in ("mini_picture", "mini_words", "mini_vocabulary", "minilm_vocabulary"):
        (shelf / name).symlink_to(tiny.root / name)
    written(tmp_path, "train", 150)
    written(tmp_path, "validation", 12)
    words = [
        "fit", NAME, "--devices", "2", "--strategy", "ddp", "--data", str(tmp_path), "--out", str(run)
    ]  # fmt: skip
    alone = {key: value for key, value in os.environ.items() if key not in {"LOCAL_RANK", "WORLD_SIZE", "RANK"}}
    settings = {"SUBTEXT_WEIGHTS": str(shelf), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "training", *words], cwd=ROOT, env=alone | settings, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "MEMBER: 2/2" in done.stderr
    assert done.stdout.count('"memotion-polarity, out of fold"') == 1  # told by one process
    for number in range(2):
        place = run / f"fold{number}"
        newest = torch.load(place / "last.ckpt", weights_only=False)
        assert newest["global_step"] == 3  # 75 rows in batches of 64 for two processes: 1 step an epoch, not 2
        assert newest["lr_schedulers"][0]["_last_lr"] == [0.0]  # the rate came down to its end
        state = torch.load(run / f"fold{number}.pt", weights_only=True)
        best = torch.load(place / "best.ckpt", weights_only=False)["state_dict"]
        assert all(torch.equal(value, best[f"network.{key}"]) for key, value in state.items())
    curves = json.loads((run / "evaluation.json").read_text())["curves"]
    assert [[point["epoch"] for point in curve] for curve in curves] == [[0, 1, 2], [0, 1, 2]]
    assert json.loads((run / "run.json").read_text())["config"]["name"] == NAME
    assert (shelf / NAME / "graph.onnx").is_file()
