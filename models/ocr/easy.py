"""EasyOCR (CRAFT and a CRNN; JaidedAI, Apache-2.0) behind the interface of the OCR.

Its two files are fetched by `hub`, checked by the MD5 that EasyOCR names, and lie in its own folder
(`EASYOCR_MODULE_PATH`, else ~/.EasyOCR/model), so that files which are there already are used.
"""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.analysis import Box, Line
from models.errors import BadWeights, PartUnavailable
from models.io import hub
from models.io.captions import ReadLine, ReadWord
from models.io.downloads import OnProgress
from models.ocr import layout
from models.runtime.device import choose
from models.runtime.memory import give_back_memory
from models.runtime.turns import Turns

LANGUAGES = ["en"]
MIN_CONFIDENCE = 0.3  # of a line; EasyOCR's own scale, on which a legible line often has .5


class EasyReader:
    """Reads words with EasyOCR. Thread-safe: threads take turns, a picture at a time; the networks are loaded for the first.

    `model` is EasyOCR's `Reader`: `readtext(pixels)` gives corners, text and confidence of each line.
    """

    def __init__(self, device: str = "auto", model: Any = None, on_progress: OnProgress | None = None) -> None:
        self.device, self.model, self.on_progress = device, model, on_progress
        self._turns = Turns()

    def read(self, image: Image.Image) -> list[Line]:
        """Lines in reading order; raises `PartUnavailable` where EasyOCR or its models are missing."""
        with self._turns.take():
            if self.model is None:
                self.model = load(self.device, self.on_progress)
            try:
                results = self.model.readtext(np.asarray(image.convert("RGB")))
            finally:
                give_back_memory()
        lines = [_line(corners, text, float(confidence)) for corners, text, confidence in results]
        return layout.in_order([line for line in lines if line.text and line.confidence >= MIN_CONFIDENCE])


def load(device: str = "auto", on_progress: OnProgress | None = None) -> Any:
    """EasyOCR's reader for English, its files fetched where they are missing."""
    try:
        import easyocr
        import torch
        from easyocr import config
    except ImportError as error:
        raise PartUnavailable(
            "The words cannot be read with EasyOCR because it is not installed: run pip install easyocr, or choose RapidOCR."
        ) from error
    folder = model_folder()
    for model in (config.detection_models["craft"], config.recognition_models["gen2"]["english_g2"]):
        file = hub.fetch_zipped(model["url"], model["filename"], model["md5sum"], folder, on_progress)
        try:  # EasyOCR itself would run what a pickle holds
            torch.load(file, map_location="cpu", weights_only=True, mmap=False)
        except Exception as error:
            raise BadWeights(
                f"{file} is damaged or holds more than tensors: remove it and try again, or choose RapidOCR."
            ) from error
    target = choose(device).name
    try:
        return easyocr.Reader(
            LANGUAGES,
            gpu=False if target == "cpu" else target,
            model_storage_directory=str(folder),
            user_network_directory=str(folder.parent / "user_network"),
            download_enabled=False,
            verbose=False,
        )
    except Exception as error:  # EasyOCR raises torch's and its own errors for files that do not fit
        raise BadWeights(
            f"EasyOCR cannot use its models in {folder} ({type(error).__name__}): remove them and try again, or choose RapidOCR."
        ) from error


def model_folder() -> Path:
    """Where EasyOCR keeps its models."""
    named = os.environ.get("EASYOCR_MODULE_PATH") or os.environ.get("MODULE_PATH")
    return Path(named or Path.home() / ".EasyOCR") / "model"


def _line(corners: list[list[float]], text: str, confidence: float) -> ReadLine:
    """EasyOCR gives the confidence of lines only: each word gets that of its line."""
    text = " ".join(text.split())
    words = tuple(ReadWord(*match.span(), confidence) for match in re.finditer(r"\S+", text))
    xs, ys = zip(*corners, strict=True)
    box: Box = (float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys)))
    return ReadLine(text, confidence, box, words)
