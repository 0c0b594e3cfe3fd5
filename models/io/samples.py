"""The sample memes that the project drew: `assets/gallery`, listed in its `gallery.json` with titles, words and descriptions."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from models.io.images import open_picture

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "gallery"


@dataclass(frozen=True)
class Sample:
    """One sample meme: its file, a short title, what it shows, and the words on it."""

    file: Path
    title: str
    alt: str
    caption: str = ""

    def open(self) -> Image.Image:
        """The picture, opened as one of a user is."""
        return open_picture(self.file.read_bytes()).image


@cache
def samples(folder: Path = FOLDER) -> tuple[Sample, ...]:
    """The samples in the order of the list; entries whose file is missing are left out."""
    listing = folder / "gallery.json"
    if not listing.is_file():
        return ()
    items = json.loads(listing.read_text(encoding="utf-8"))
    listed = [Sample(folder / Path(item.pop("file")).name, **item) for item in items]
    return tuple(sample for sample in listed if sample.file.is_file())
