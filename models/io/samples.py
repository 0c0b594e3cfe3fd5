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
    """One sample meme: its file, a short title, what it shows, and the words on it.

    language: of the words, by its English name; translation: of words that are not English; typed: whether the words
    come with the picture, since the OCR that ships cannot read their script.
    """

    file: Path
    title: str
    alt: str
    caption: str = ""
    language: str = "English"
    translation: str = ""
    typed: bool = False

    @property
    def label(self) -> str:
        """The title, and the language where it is not English."""
        return self.title if self.language == "English" else f"{self.title} ({self.language})"

    @property
    def words(self) -> str | None:
        """The words that are given with the picture; None where they are read from it."""
        return self.caption if self.typed else None

    @property
    def meaning(self) -> str:
        """What the words say in English, and where they come from; empty for English ones."""
        if not self.translation:
            return ""
        typed = " The text recognition (OCR) cannot read this script, so the words came with the sample."
        return f"The sample says, in {self.language}: “{self.translation}”{typed if self.typed else ''}"

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
