"""The sample memes as a row of thumbnails, one click each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import streamlit as st
from PIL import Image, ImageOps

from components.shared import pictures
from components.shared.escaping import for_markdown
from models.io.samples import Sample, samples

_THUMBNAIL = (240, 180)


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
    gallery = samples()
    if not gallery:
        return
    columns = len(gallery) if len(gallery) <= 8 else (len(gallery) + 1) // 2  # one row, or two of the same length
    with st.grid(columns=columns, min_column_width=88, gap="small") as grid:
        for sample in gallery:
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
