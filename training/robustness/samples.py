"""The project's own sample memes (`assets/gallery`), on which attacks may be shown to everybody."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from models.io import samples as gallery
from models.io.images import open_picture


@dataclass(frozen=True)
class Sample:
    """A sample meme: the name of its file, its picture, its caption, and a description of the picture."""

    file: str
    image: Image.Image
    words: str
    alt: str


def samples() -> list[Sample]:
    """The samples with a picture to attack, in the order of the list."""
    return [
        Sample(sample.file.name, open_picture(sample.file.read_bytes()).image, sample.caption, sample.alt)
        for sample in gallery.samples()
    ]
