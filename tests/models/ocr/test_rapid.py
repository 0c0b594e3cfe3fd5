"""The reader with a fake networks, then once for real on a drawn picture."""

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from models.analysis import Line
from models.errors import PartUnavailable
from models.io.captions import IllegibleLine
from models.io.images import open_picture
from models.ocr import rapid
from models.ocr.rapid import MAX_LINES, MAX_WIDTH, RapidReader, as_line, model_file
from models.ocr.recognize import Alphabet, Reading


class FakeNetworks:
    """Finds text where the picture is white, and reads the same word in each box."""

    def __init__(self, word: str = "abc", confidence: float = 0.99) -> None:
        self.alphabet = Alphabet(list("abcdefgh国"))
        self.word, self.confidence = word, confidence
        self.read = self.width = 0
        self.busy = threading.Lock()

    def text_map(self, pixels: np.ndarray) -> np.ndarray:
        assert self.busy.acquire(blocking=False), "two pictures at a time"
        self.busy.release()
        return (pixels[0].mean(0) > 0).astype(np.float32)

    def characters(self, pixels: np.ndarray) -> np.ndarray:
        self.read += 1
        self.width += pixels.shape[-1]
        with self.busy:
            result = np.zeros((2 * len(self.word), len(self.alphabet.characters)), np.float32)
            result[1::2, 0] = 1
            for column, character in enumerate(self.word):
                result[2 * column, self.alphabet.characters.index(character)] = self.confidence
            return result


def picture(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (576, 576)) -> Image.Image:
    image = Image.new("RGB", size)
    for box in boxes:
        ImageDraw.Draw(image).rectangle(box, fill="white")
    return image


def test_each_box_becomes_a_line_in_reading_order():
    lines = RapidReader(networks=FakeNetworks()).read(picture((40, 400, 300, 430), (40, 40, 300, 70)))
    assert [line.text for line in lines] == ["abc", "abc"]
    assert lines[0].box[3] < 120 and lines[1].box[1] > 360
    left, top, right, bottom = lines[0].box
    assert left < 40 and top < 40 and right > 300 and bottom > 70
    assert all(isinstance(line, Line) for line in lines)


def test_boxes_are_in_pixels_of_the_picture_given():
    line = RapidReader(networks=FakeNetworks()).read(picture((400, 400, 3_000, 700), size=(4_000, 4_000)))[0]
    assert line.box[0] == pytest.approx(400 - 210, abs=60) and line.box[2] == pytest.approx(3_000 + 210, abs=60)


@pytest.mark.parametrize("networks", [FakeNetworks("ab国"), FakeNetworks("国"), FakeNetworks("abc", confidence=0.4)])
def test_noise_gives_no_line(networks):
    lines = RapidReader(networks=networks).read(picture((40, 40, 300, 70)))
    assert [line.text for line in lines if not isinstance(line, IllegibleLine)] in ([], ["ab"])
    assert networks.read == 1


def test_a_line_in_unknown_letters_is_told_apart_from_no_line():
    lines = RapidReader(networks=FakeNetworks("")).read(picture((40, 40, 300, 70)))
    assert [type(line) for line in lines] == [IllegibleLine]
    assert lines[0].text == ""


def test_a_picture_without_words():
    networks = FakeNetworks()
    assert RapidReader(networks=networks).read(picture()) == []
    assert networks.read == 0


def test_a_page_of_print_is_cut_off():
    rows = [(x, y, x + 60, y + 8) for y in range(10, 560, 24) for x in range(10, 500, 110)]
    networks = FakeNetworks()
    lines = RapidReader(networks=networks).read(picture(*rows))
    assert len(rows) > MAX_LINES == networks.read
    assert [line.text for line in lines] == ["abc"] * MAX_LINES + [""] * (len(rows) - MAX_LINES)


def test_the_widest_lines_are_cut_off_before_they_take_seconds():
    rows = [(10, y, 1_590, y + 8) for y in range(10, 1_400, 20)]
    networks = FakeNetworks()
    lines = RapidReader(networks=networks).read(picture(*rows, size=(1_600, 1_400)))
    assert networks.width <= MAX_WIDTH < networks.width * len(rows) / networks.read
    assert sum(not line.text for line in lines) == len(rows) - networks.read


def test_other_modes_are_read_too():
    assert RapidReader(networks=FakeNetworks()).read(picture((40, 40, 300, 70)).convert("L"))


def test_threads_wait_for_each_other():
    reader = RapidReader(networks=FakeNetworks())
    image = picture((40, 40, 300, 70))
    with ThreadPoolExecutor(4) as pool:
        assert all(len(lines) == 1 for lines in pool.map(reader.read, [image] * 12))


def test_memory_is_given_back_also_after_a_failure(monkeypatch):
    calls = []
    monkeypatch.setattr(rapid, "give_back_memory", lambda: calls.append(1))
    networks = FakeNetworks()
    networks.characters = None
    reader = RapidReader(networks=networks)
    for _ in range(2):  # and the lock is free again
        with pytest.raises(TypeError):
            reader.read(picture((40, 40, 300, 70)))
    assert calls == [1, 1]


def test_words_keep_their_place_and_confidence_when_spaces_are_put_in():
    text = "THETEMPLE  ok"
    gaps = tuple(0.3 if at == 3 else 0.0 for at in range(len(text)))
    line = as_line(Reading(text, (0.9,) * 3 + (0.6,) * 6 + (1.0,) * 4, gaps), (0, 0, 1, 1))
    assert line.text == "THE TEMPLE ok"
    assert [(line.text[word.start : word.end], round(word.confidence, 2)) for word in line.words] == [
        ("THE", 0.9),
        ("TEMPLE", 0.6),
        ("ok", 1.0),
    ]


def test_a_missing_wheel_says_what_to_install(monkeypatch):
    monkeypatch.setattr(rapid, "find_spec", lambda name: None)
    with pytest.raises(PartUnavailable, match=r'pip install "rapidocr>=3.10"'):
        RapidReader().read(picture())


def test_a_damaged_model_says_what_to_do(monkeypatch, tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a network")
    monkeypatch.setattr(rapid, "model_file", lambda name: broken)
    with pytest.raises(PartUnavailable, match=r"damaged.*--force-reinstall rapidocr"):
        RapidReader().read(picture())


def test_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PartUnavailable, match="pip install onnxruntime"):
        RapidReader().read(picture())


def test_a_drawn_meme_is_read():
    image = Image.new("RGB", (500, 400), (40, 90, 60))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(36)
    draw.text((60, 20), "WHEN THE TEMPLE", fill="white", font=font)
    draw.text((120, 330), "opens on Monday", fill="white", font=font)
    lines = RapidReader().read(image)
    assert [line.text for line in lines] == ["WHEN THE TEMPLE", "opens on Monday"]
    assert all(line.confidence > 0.9 for line in lines)
    left, top, right, bottom = lines[1].box
    assert 100 < left < 130 and 310 < top < 345 < bottom < 395 and 370 < right < 460


@pytest.mark.parametrize("size", [(5_000, 4_000), (12_000, 1_600)])
def test_small_words_on_a_large_picture_are_read_although_it_is_shrunk(size):
    """40 pixels of 20 megapixels are the smallest letters that the detector finds; it did so before as well."""
    font = ImageFont.truetype("assets/fonts/DejaVuSans-Bold.ttf", 40)
    large = Image.new("RGB", size, "white")
    words = ["the coffee was free again", "nobody had noticed"]
    for row, line in enumerate(words):
        ImageDraw.Draw(large).text((size[0] // 10, 300 + 500 * row), line, font=font, fill="black")
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    opened = open_picture(buffer.getvalue())
    assert opened.size == size
    assert [line.text for line in RapidReader().read(opened.image)] == words


def test_opencv_is_not_needed():
    """Its full build does not import where libGL is missing; the rapidocr package, which imports it, stays unloaded."""
    script = (
        "import sys; sys.modules['cv2'] = sys.modules['rapidocr.main'] = None\n"
        "from PIL import Image; from models.ocr.rapid import RapidReader\n"
        "assert RapidReader().read(Image.new('RGB', (64, 64), 'white')) == []\n"
        "heavy = {'rapidocr', 'torch', 'scipy', 'pandas', 'wordninja'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_models_are_in_the_wheel():
    assert model_file(rapid.DETECTOR).stat().st_size > 1_000_000
