"""The OCR engines by name."""

from models.errors import BadInput, suggest
from models.io.captions import Reader
from models.io.downloads import OnProgress
from models.ocr.easy import EasyReader
from models.ocr.rapid import RapidReader

ENGINES = {"rapid": "RapidOCR", "easy": "EasyOCR"}


def reader(name: str = "rapid", device: str = "auto", on_progress: OnProgress | None = None) -> Reader:
    """The engine of that name; nothing is loaded before the first picture. `BadInput` for an unknown name."""
    if name not in ENGINES:
        raise BadInput(f"There is no OCR engine {name!r}.{suggest(name, ENGINES)}")
    return EasyReader(device, on_progress=on_progress) if name == "easy" else RapidReader()
