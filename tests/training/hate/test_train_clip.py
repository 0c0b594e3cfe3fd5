"""From a user's memes to the clip profile's head, on drawn data in the official layouts and a tiny open_clip model."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from models import weights
from models.analysis import Caption, Meme
from models.analyzer import Analyzer
from models.encoders.clip import ClipEncoder, ClipSource
from models.errors import BadInput
from models.profiles import registry
from models.runtime import device
from tests import hub_for_tests, models_for_tests
from tests.weights_for_tests import SHIPPED
from training.cli import main
from training.datasets import memes
from training.features.tokens import ClipTokens
from training.hate import train_clip

VILE, KIND = "vile words about them", "kind words about them"


def drawn(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((48, 40)).save(buffer, "PNG")
    return buffer.getvalue()


def hateful_memes(folder: Path, *, train: int = 96, dev: int = 32, test: int = 24) -> Path:
    """The official layout: img/NUMBER.png, a line of JSON each; the label follows the words."""
    (folder / "img").mkdir(parents=True)
    number = 10_000
    for name, count in (("train", train), ("dev_seen", dev), ("dev_unseen", 4), ("test_seen", test)):
        lines = []
        for row in range(count):
            number += 1
            (folder / "img" / f"{number}.png").write_bytes(drawn(number))
            text = f"{(KIND, VILE)[row % 2]} {number}"
            lines.append(json.dumps({"id": number, "img": f"img/{number}.png", "label": row % 2, "text": text}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def test_the_official_layout_is_read(tmp_path: Path) -> None:
    splits = memes.read(str(hateful_memes(tmp_path / "hateful_memes")))
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 96, "validation": 32, "test": 24}
    row = splits["train"][1]
    assert (row.id, row.text, row.label) == ("10002", f"{VILE} 10002", 1)
    assert row.image == drawn(10_002)


def test_a_folder_of_csv_without_validation_is_split_by_picture(tmp_path: Path) -> None:
    lines = ["file_name,caption,label"]
    for at in range(60):
        (tmp_path / f"{at // 2}.png").write_bytes(drawn(at // 2))
        lines.append(f'{at // 2}.png,"words, number {at}",{("not_hateful", "hateful")[at % 2]}')
    (tmp_path / "train.csv").write_text("\n".join(lines))
    splits = memes.read(str(tmp_path))
    groups = [{row.group for row in splits[name]} for name in ("train", "validation")]
    assert not groups[0] & groups[1]
    assert len(groups[0]) + len(groups[1]) == 30
    assert splits["train"][0].text == "words, number 0"


def as_on_the_hub(folder: Path) -> Path:
    """Parquet files in data/, pictures as structs of bytes and path."""
    (folder / "data").mkdir(parents=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for name, count in (("train-00000-of-00002", 20), ("train-00001-of-00002", 20), ("validation-00000-of-00001", 10)):
        pictures = [{"bytes": drawn(at), "path": f"{at}.png"} for at in range(count)]
        table = pa.table(
            {
                "image": pa.array(pictures, kind),
                "text": [f"words {at}" for at in range(count)],
                "label": [at % 2 for at in range(count)],
            }
        )
        pq.write_table(table, folder / "data" / f"{name}.parquet")
    return folder


def test_a_data_set_of_the_hub_is_fetched_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = as_on_the_hub(tmp_path / "served")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with hub_for_tests.running() as server:
        server.serve("org/memes", folder, "d" * 40)
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        splits = memes.read("org/memes")
        assert {name: len(rows) for name, rows in splits.items()} == {"train": 40, "validation": 10}
        assert splits["train"][3].image == drawn(3)
        requests = sum(server.requests.values())
        memes.read("org/memes")
        assert sum(server.requests.values()) == requests
        with pytest.raises(BadInput, match="no repository org/none"):
            memes.read("org/none")
    assert memes.read(str(folder)).keys() == splits.keys()  # the same files in a folder


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"img": "img/1.png", "text": "a", "label": 1}'], "names the picture img/1.png, which is not there"),
        (['{"text": "a", "label": "maybe"}'], "has the label 'maybe'"),
        (['{"text": "a", "label": 1}'], "must hold both labels"),
        (['{"words": "a", "label": 1}'], "has neither a column for pictures"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, lines: list[str], said: str) -> None:
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    with pytest.raises(BadInput, match=said):
        memes.read(str(tmp_path))


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no folder"):
        memes.read(str(tmp_path / "none" / "at" / "all"))
    with pytest.raises(BadInput, match="no table for training"):
        memes.read(str(tmp_path))


@pytest.fixture(scope="module")
def encoder() -> ClipEncoder:
    return ClipEncoder(ClipSource(f"local-dir:{models_for_tests.shared() / 'org' / 'clip'}"))


def test_each_picture_is_encoded_once_for_all_data_sets(
    encoder: ClipEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_sizes: list[int] = []
    real = encoder.encode_images
    monkeypatch.setattr(encoder, "encode_images", lambda images: batch_sizes.append(len(images)) or real(images))
    store = ClipTokens(tmp_path, encoder)
    store.images([drawn(1), None, drawn(2), drawn(1)])
    side = store.images([drawn(3), drawn(2), None])
    assert batch_sizes == [2, 1]
    tokens, mask = side.batch([1, 2, -1])
    expected = real([Image.open(io.BytesIO(drawn(2)))]).tokens[0]
    np.testing.assert_allclose(tokens[0], expected, atol=2e-3 * np.abs(expected).max())
    assert mask.any(1).tolist() == [True, False, False]
    monkeypatch.setitem(encoder.identity, "weights", "other" * 8)
    ClipTokens(tmp_path, encoder).images([drawn(1)])
    assert batch_sizes == [2, 1, 1]


def test_one_command_trains_what_the_app_then_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("SUBTEXT_MODELS", str(models_for_tests.shared()))
    monkeypatch.setattr(device, "cpu_dtype", lambda: "float32")
    load_config = train_clip.load_config  # few rows want smaller batches, larger steps and more patience
    few = {"batch_size": 16, "lr": 3e-3, "patience": 30}
    monkeypatch.setattr(train_clip, "load_config", lambda *args: replace(load_config(*args), **few))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "face_detector").symlink_to(SHIPPED / "face_detector")
    data, out = hateful_memes(tmp_path / "hateful_memes"), tmp_path / "run"
    clip = f"local-dir:{models_for_tests.shared() / 'org' / 'clip'}"
    command = ["fit", "hate_cross_attention", "--profile", "clip", "--data", str(data), "--out", str(out)]
    assert main([*command, "--model", clip, "--epochs", "20", "--device", "cpu"]) == 0, capsys.readouterr().err
    card = weights.card(registry.HEAD)
    figures = json.loads((card.folder / "metrics.json").read_text())
    assert set(figures) == {"validation, hateful_memes", "test, hateful_memes"}
    test = figures["test, hateful_memes"]
    assert test["rows"] == 24
    assert test["auroc"] > 0.8  # the words tell the label
    assert test["auroc_low"] <= test["auroc"] <= test["auroc_high"]
    assert "macro_f1_majority" in test
    assert registry.select().profile.name == "clip"
    analyzer = Analyzer("auto", threads=1)
    vile, kind = analyzer.score([Meme(None, Caption(words, "override")) for words in (VILE, KIND)])
    assert vile.probability > kind.probability

    files = {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.npy")}
    assert main([*command, "--model", clip, "--epochs", "20", "--device", "cpu", "--resume"]) == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.npy")} == files


def test_without_data_the_command_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "hate_cross_attention", "--profile", "clip"]) == 2
    assert "Name the data" in capsys.readouterr().err
