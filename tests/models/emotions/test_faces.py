"""The detector on two portraits whose faces are known, its decoding on maps made by hand, and the crops."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.analysis import Box
from models.emotions.faces import DetectorSettings, FaceDetector, crop_face, decode, suppress
from models.errors import BadWeights

ROOT = Path(__file__).resolve().parents[3]
WEIGHTS = ROOT / "weights" / "face_detector"
SOURCES = ROOT / "assets" / "gallery" / "sources"
ASTRONAUT: Box = (177.0, 63.0, 273.0, 187.0)  # roughly the face, read off the source picture by eye


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector.load(threads=1)


def picture(name: str) -> Image.Image:
    return Image.open(SOURCES / f"{name}.webp").convert("RGB")


def overlap(first: Box, second: Box) -> float:
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / sum([(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)], -shared)


def test_the_shipped_file_is_the_one_that_the_card_names() -> None:
    config = json.loads((WEIGHTS / "config.json").read_text(encoding="utf-8"))
    assert hashlib.sha256((WEIGHTS / "model.onnx").read_bytes()).hexdigest() == config["sha256"]["model.onnx"]
    assert (config["licence"], config["name"]) == ("MIT", "face_detector")


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_boxes_are_in_pixels_of_the_picture_given(detector: FaceDetector, factor: float) -> None:
    image = picture("astronaut")
    ((box, confidence),) = detector.detect(image.resize((round(512 * factor), round(400 * factor))))
    assert overlap(box, tuple(edge * factor for edge in ASTRONAUT)) > 0.6  # type: ignore[arg-type]
    assert 0.5 <= confidence <= 1


def test_a_very_wide_picture_and_a_grey_one_work_too(detector: FaceDetector) -> None:
    wide = Image.new("L", (1200, 400), 128)
    wide.paste(picture("astronaut").convert("L"), (600, 0))
    ((box, _),) = detector.detect(wide)
    assert overlap(box, (777, 63, 873, 187)) > 0.5


def test_the_largest_face_comes_first(detector: FaceDetector) -> None:
    both = Image.new("RGB", (1024, 600), "white")
    both.paste(picture("astronaut"), (0, 0))
    both.paste(picture("hopper"), (512, 0))
    (first, _), (second, _) = detector.detect(both)
    assert first[0] > 512 > second[2]


@pytest.mark.parametrize("name", ["coffee", "rocket", "brick", "hubble"])
def test_no_face_is_made_up(detector: FaceDetector, name: str) -> None:
    assert detector.detect(picture(name)) == []


def test_a_face_too_small_to_be_read_is_left_out(detector: FaceDetector) -> None:
    session = detector._session
    small = picture("astronaut").resize((128, 100))  # the face is 24 pixels wide
    assert FaceDetector(session, DetectorSettings(smallest=16)).detect(small)
    assert not FaceDetector(session, DetectorSettings(smallest=40)).detect(small)


def test_the_input_size_can_be_chosen(detector: FaceDetector) -> None:
    assert FaceDetector.load(size=480, threads=1).settings.size == 480
    assert detector.settings == DetectorSettings()


def test_threads_share_one_detector(detector: FaceDetector) -> None:
    images = [picture("astronaut"), picture("hopper"), picture("coffee")]
    alone = [detector.detect(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(detector.detect, images * 4)) == alone * 4


def test_decoding_follows_the_maps() -> None:
    heatmap, sizes, offsets = np.zeros((5, 6), np.float32), np.zeros((2, 5, 6), np.float32), np.zeros((2, 5, 6))
    heatmap[2, 3] = 0.9
    sizes[:, 2, 3] = np.log(5), np.log(3)  # 20 pixels high, 12 wide
    offsets[:, 2, 3] = 0.25, -0.5  # centre at y = 4 (2 + .25 + .5) = 11, x = 4 (3 - .5 + .5) = 12
    boxes, confidences = decode(heatmap, sizes, offsets, 0.5)
    np.testing.assert_allclose(boxes, [[6, 1, 18, 21]], rtol=1e-6)
    np.testing.assert_allclose(confidences, [0.9], rtol=1e-6)
    assert decode(heatmap, sizes, offsets, 0.95)[0].shape == (0, 4)


def test_of_boxes_on_one_face_the_surest_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 8], [20, 0, 30, 10], [8, 0, 18, 10]], float)
    assert suppress(boxes, np.array([0.6, 0.9, 0.7, 0.8]), 0.3) == [1, 3, 2]
    assert suppress(boxes[:0], np.array([]), 0.3) == []


def test_a_crop_is_square_grey_and_centred() -> None:
    ramp = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8), (100, 1)))
    crop = crop_face(ramp.convert("RGB"), (80, 20, 100, 60), margin=0.5)
    assert (crop.mode, crop.size) == ("L", (60, 60))
    assert np.asarray(crop)[0].tolist() == list(range(60, 120))


def test_a_crop_over_the_edge_repeats_it_and_keeps_the_face_in_the_middle() -> None:
    ramp = Image.fromarray(np.tile(np.arange(100, dtype=np.uint8), (100, 1)))
    crop = np.asarray(crop_face(ramp, (-10, 40, 30, 60), margin=0))
    assert crop.shape == (40, 40)
    assert crop[0].tolist() == [0] * 10 + list(range(30))
    with pytest.raises(ValueError, match="outside"):
        crop_face(ramp, (300, 300, 320, 320))


@pytest.mark.parametrize("wrong", [{"size": 333}, {"size": 0}, {"threshold": 1.5}, {"nms": 0}, {"smallest": -1}])
def test_settings_refuse_nonsense_and_quote_it(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        DetectorSettings(**wrong)  # type: ignore[arg-type]


def test_a_damaged_or_missing_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    with pytest.raises(BadWeights, match="face_detector"):
        FaceDetector.load()
    folder = tmp_path / "face_detector"
    folder.mkdir()
    config = json.loads((WEIGHTS / "config.json").read_text(encoding="utf-8"))
    (folder / "model.onnx").write_bytes(b"not a network")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BadWeights, match=r"model\.onnx is damaged"):
        FaceDetector.load()
    config["sha256"]["model.onnx"] = hashlib.sha256(b"not a network").hexdigest()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BadWeights, match="cannot be loaded"):
        FaceDetector.load()
    del config["nms"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BadWeights, match="nms"):
        FaceDetector.load()
