"""The sample memes: drawn by the project, listed in assets/gallery/gallery.json, one click each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

from components import pictures
from components.escaping import for_markdown

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "gallery"
_THUMBNAIL = (240, 180)


@dataclass(frozen=True)
class Sample:
    """One sample meme: its file, a short title, and what is to be seen."""

    file: Path
    title: str
    alt: str


@cache
def samples(folder: Path = FOLDER) -> tuple[Sample, ...]:
    """The samples in the order of the list; entries whose file is missing are left out."""
    listing = folder / "gallery.json"
    if not listing.is_file():
        return ()
    entries = json.loads(listing.read_text(encoding="utf-8"))
    found = [Sample(folder / Path(entry["file"]).name, entry["title"], entry["alt"]) for entry in entries]
    return tuple(sample for sample in found if sample.file.is_file())


@cache
def _thumbnail(file: Path) -> Image.Image:
    """All of the picture, since its words often reach the edge, on a blurred ground of its own colours."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    ground = ImageOps.fit(pictures.blurred(image), _THUMBNAIL)
    whole = ImageOps.contain(image, _THUMBNAIL, Image.Resampling.LANCZOS)
    ground.paste(whole, ((_THUMBNAIL[0] - whole.width) // 2, (_THUMBNAIL[1] - whole.height) // 2))
    return ground


def draw(on_pick: Callable[[Sample], None]) -> None:
    """A row of thumbnails with a button under each; the row wraps on a narrow screen."""
    found = samples()
    if not found:
        return
    columns = len(found) if len(found) <= 8 else (len(found) + 1) // 2  # one row, or two of the same length
    with st.grid(columns=columns, min_column_width=88, gap="small") as grid:
        for sample in found:
            with grid.cell(), st.container(gap="xsmall"):
                image = _thumbnail(sample.file)
                if pictures.hidden(f"sample-{sample.file.name}"):
                    image = pictures.blurred(image)
                st.image(image, alt=sample.alt, width="stretch", output_format="JPEG")
                st.button(
                    for_markdown(sample.title),
                    key=f"sample-{sample.file.stem}",
                    width="stretch",
                    on_click=on_pick,
                    args=(sample,),
                )
