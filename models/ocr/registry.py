"""The OCR engines by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import BadInput, suggest
from models.io.captions import Reader
from models.ocr.rapid import RapidReader

if TYPE_CHECKING:
    from models.io.downloads import OnProgress

ENGINES = {"rapid": "RapidOCR", "easy": "EasyOCR"}


def reader(name: str = "rapid", device: str = "auto", on_progress: OnProgress | None = None) -> Reader:
    """The engine of that name; nothing is loaded before the first picture. `BadInput` for an unknown name."""
    if name == "rapid":
        return RapidReader()
    if name == "easy":
        from models.ocr.easy import EasyReader

        return EasyReader(device, on_progress=on_progress)
    raise BadInput(f"There is no OCR engine {name!r}.{suggest(name, ENGINES)}")
