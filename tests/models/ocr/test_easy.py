"""EasyOCR behind the OCR's interface: its lines as ours, and its real networks from a folder of random weights."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from models.errors import BadInput, BadWeights
from models.io import captions
from models.io.downloads import Unreachable
from models.ocr import easy, registry
from models.ocr.easy import EasyReader


class Scripted:
    """Answers with lines in no order, one of them doubtful, one hardly legible."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def readtext(self, image: np.ndarray) -> list[tuple[list[list[float]], str, float]]:
        self.shapes.append(image.shape)
        return [
            ([[10, 200], [300, 200], [300, 230], [10, 230]], "when the tests  pass", np.float64(0.97)),
            ([[10, 10], [200, 12], [200, 40], [10, 38]], "NOBODY:", 0.55),
            ([[40, 110], [90, 110], [90, 120], [40, 120]], "#~", 0.1),
        ]


def test_lines_come_in_reading_order_with_boxes_and_doubts() -> None:
    easy = Scripted()
    picture = Image.new("L", (320, 240))
    lines = EasyReader("cpu", easy).read(picture)
    assert [(line.text, line.box) for line in lines] == [
        ("NOBODY:", (10.0, 10.0, 200.0, 40.0)),
        ("when the tests pass", (10.0, 200.0, 300.0, 230.0)),
    ]
    assert easy.shapes == [(240, 320, 3)]
    caption = captions.read(picture, None, EasyReader("cpu", easy))
    assert caption.source == "ocr"
    assert [caption.text[start:end] for start, end in caption.uncertain] == ["NOBODY:"]


def test_the_engine_is_found_by_name() -> None:
    assert isinstance(registry.reader("easy"), EasyReader)
    with pytest.raises(BadInput, match=r"no OCR engine 'eesy'\. Did you mean 'easy'"):
        registry.reader("eesy")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """EasyOCR's own networks with random weights, in its folder and under its names; the hashes are those of the files."""
    from easyocr import config
    from easyocr.craft import CRAFT
    from easyocr.model.vgg_model import Model

    monkeypatch.setenv("EASYOCR_MODULE_PATH", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    place = easy.model_folder()
    place.mkdir(parents=True)
    torch.manual_seed(1)
    alphabet = config.recognition_models["gen2"]["english_g2"]["characters"]
    networks = {
        "craft_mlt_25k.pth": CRAFT(),
        "english_g2.pth": Model(input_channel=1, output_channel=256, hidden_size=256, num_class=len(alphabet) + 1),
    }
    models: list[dict[str, Any]] = [config.detection_models["craft"], config.recognition_models["gen2"]["english_g2"]]
    for (name, network), entry in zip(networks.items(), models, strict=True):
        torch.save({f"module.{key}": value for key, value in network.state_dict().items()}, place / name)
        monkeypatch.setitem(entry, "md5sum", hashlib.md5((place / name).read_bytes()).hexdigest())
    yield place


def test_its_networks_run_from_the_folder(folder: Path) -> None:
    picture = Image.new("RGB", (160, 96), (255, 255, 255))
    ImageDraw.Draw(picture).text((10, 30), "HELLO THERE", fill=(0, 0, 0), font_size=24)
    reader = EasyReader("cpu")
    lines = reader.read(picture)  # what random weights read is anything or nothing
    assert all(0 <= line.confidence <= 1 and line.text for line in lines)
    assert type(reader.model).__module__.startswith("easyocr")
    assert reader.model.device == "cpu"  # type: ignore[union-attr]
    first = reader.model
    reader.read(picture)
    assert reader.model is first


class Runs:
    """A pickle that would call a function."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("pickle-was-run",)


def test_a_missing_a_damaged_and_a_malicious_file_are_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from easyocr import config

    picture = Image.new("RGB", (64, 64))
    monkeypatch.chdir(folder)
    file = folder / "english_g2.pth"
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    with pytest.raises(BadWeights, match=r"english_g2\.pth is damaged .* remove it"):
        EasyReader("cpu").read(picture)
    torch.save({"module.x": Runs()}, file)
    model = config.recognition_models["gen2"]["english_g2"]
    monkeypatch.setitem(model, "md5sum", hashlib.md5(file.read_bytes()).hexdigest())
    with pytest.raises(BadWeights, match="holds more than tensors"):
        EasyReader("cpu").read(picture)
    assert not (folder / "pickle-was-run").exists()
    torch.save({"module.x": torch.zeros(1)}, file)
    monkeypatch.setitem(model, "md5sum", hashlib.md5(file.read_bytes()).hexdigest())
    with pytest.raises(BadWeights, match="EasyOCR cannot use its models"):
        EasyReader("cpu").read(picture)
    file.unlink()
    with pytest.raises(Unreachable, match=r"english_g2\.pth is not in .* HF_HUB_OFFLINE"):
        EasyReader("cpu").read(picture)
