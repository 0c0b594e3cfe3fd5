"""RapidOCR's PP-OCRv6 models, run on onnxruntime alone.

The models are the files inside the wheel of `rapidocr` (>= 3.10; Apache-2.0). The package itself is never imported: it
needs OpenCV, which costs 57 MB and a second, and fails where its full build is installed without libGL. `detect` and
`recognize` do in NumPy and Pillow what it does with them.
"""

from __future__ import annotations

import re
import threading
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from models.analysis import Box, Line
from models.errors import PartUnavailable
from models.io.captions import IllegibleLine, ReadLine, ReadWord
from models.ocr import detect, layout, recognize
from models.ocr.word_segmentation import unglue
from models.runtime.memory import give_back_memory
from models.runtime.session import Session

DETECTOR, RECOGNIZER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
THREADS = 2  # of each network
MIN_HEIGHT = 7  # pixels of the picture as given; lower letters are not legible
MAX_LINES = 80  # the largest ones: a page of newsprint is no meme and would take seconds
MAX_WIDTH = 32_000  # pixels of all lines together as the recogniser sees them: about two seconds


class OnnxNetworks:
    """Both networks on the CPU; raises `PartUnavailable` where a package or a model file is missing."""

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise PartUnavailable(
                "The words on the picture cannot be read because onnxruntime is not installed: "
                "run pip install onnxruntime, or type the words yourself."
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # 40% less CPU; others need the cores
        options.log_severity_level = 4
        options.enable_cpu_mem_arena = False  # an arena keeps the memory of the largest picture ever read

        def session(name: str) -> Session:
            path = str(model_file(name))
            try:
                return Session(path, options)
            except Exception as error:  # onnxruntime's errors share no public base class
                raise PartUnavailable(
                    f"The words on the picture cannot be read because RapidOCR's model {name} is damaged: "
                    "run pip install --force-reinstall rapidocr, or type the words yourself."
                ) from error

        self._detector, self._recognizer = session(DETECTOR), session(RECOGNIZER)
        characters = self._recognizer.metadata.custom_metadata_map["character"].splitlines()
        self.alphabet = recognize.Alphabet(characters)

    def text_map(self, pixels: np.ndarray) -> np.ndarray:
        """[1, 3, height, width] to the probability of text at each pixel, [height, width]."""
        return np.asarray(self._detector.run(None, {"x": pixels})[0])[0, 0]

    def characters(self, pixels: np.ndarray) -> np.ndarray:
        """[1, 3, 48, width] to the probability of each class in each column, [columns, classes]."""
        return np.asarray(self._recognizer.run(None, {"x": pixels})[0])[0]


class RapidReader:
    """Reads words with PP-OCRv6 small. Thread-safe; the networks are loaded for the first picture.

    The networks run line by line, so that a picture full of text holds up no other one.
    """

    def __init__(self, networks: OnnxNetworks | None = None) -> None:
        self.networks, self._loading = networks, threading.Lock()

    def read(self, image: Image.Image) -> list[Line]:
        """Lines in reading order; raises `PartUnavailable` where onnxruntime or the models are missing."""
        with self._loading:
            if self.networks is None:
                self.networks = OnnxNetworks()
        try:
            return self._read(self.networks, image.convert("RGB"))
        finally:
            give_back_memory()

    def _read(self, networks: OnnxNetworks, image: Image.Image) -> list[Line]:
        pixels = detect.prepare(image)
        text_map = networks.text_map(pixels)
        boxes = detect.find_boxes(text_map, image.size)
        tall = [box for box in boxes if box.height >= MIN_HEIGHT]
        tall.sort(key=lambda box: box.height, reverse=True)
        lines, illegible = list[Line](), list[Line]()
        done, width = 0, 0
        for box in tall[:MAX_LINES]:
            pixels = recognize.prepare(recognize.crop(image, box.corners))
            width += pixels.shape[-1]
            if width > MAX_WIDTH:
                break
            probabilities = networks.characters(pixels)
            full = networks.alphabet.decode(probabilities)
            reading = layout.believable(full, networks.alphabet.decode(probabilities, western=True))
            if reading is not None:
                lines.append(as_line(reading, box.bounds))
            elif layout.illegible(full, box.width, box.height):
                illegible.append(IllegibleLine("", 0.0, box.bounds))
            done += 1
        return [*layout.in_order(lines), *illegible, *(Line("", 0.0, box.bounds) for box in tall[done:])]


def as_line(reading: recognize.Reading, box: Box) -> ReadLine:
    """A reading with its missing spaces put in; a word has the mean confidence of its characters."""
    cuts = unglue(reading)
    text = ""
    words: list[ReadWord] = []
    for chunk in re.finditer(r"\S+", reading.text):
        edges = [chunk.start(), *(cut for cut in cuts if chunk.start() < cut < chunk.end()), chunk.end()]
        for start, end in pairwise(edges):
            text += " " if text else ""
            confidence = float(np.mean(reading.confidences[start:end]))
            words.append(ReadWord(len(text), len(text) + end - start, confidence))
            text += reading.text[start:end]
    return ReadLine(text, reading.confidence, box, tuple(words))


def model_file(name: str) -> Path:
    """A model inside the installed wheel of rapidocr, found without importing it."""
    spec = find_spec("rapidocr")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise PartUnavailable(
        f"The words on the picture cannot be read because RapidOCR's model {name} is missing: "
        'run pip install "rapidocr>=3.10", or type the words yourself.'
    )
