"""Memes of a data set with what a system answered and what is true, where the visitor has the data set.

The rows are not in the repository: `rows_file` says where they would lie.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import streamlit as st

from components.shared import failures, pictures
from components.shared.escaping import for_markdown, shorten
from models.errors import BadPicture
from models.evaluation_files import PredictionSet
from models.io.images import open_picture

SHOWN = 9
PARTS = ("train", "validation")


def data_file(data: str, part: int) -> Path:
    """Where the rows would lie."""
    return Path(os.environ.get("SUBTEXT_DATA") or "data") / f"{data}.{PARTS[part]}.parquet"


def rows_file(found: PredictionSet, data: str) -> Path:
    """The file that the predictions' rows are of; it may not be there."""
    return data_file(data, int(found.split[0]) if len(found.split) else 0)


def draw(found: PredictionSet, number: int, data: str) -> None:
    """A page of memes, right and wrong ones; pictures behind the blur where the visitor wants it. The file has to be there."""
    file = rows_file(found, data)
    classes = [name.replace("_", " ") for name in found.head.questions[number].classes]
    known = np.flatnonzero(found.labelled(number) & (found.row >= 0))
    right = found.y_true[known, number] == found.y_pred[known, number]
    want = st.segmented_control("Show", ["All", "Right", "Wrong"], default="All", key="gallery-want") or "All"
    kept = known if want == "All" else known[right == (want == "Right")]
    if not len(kept):
        st.info("There are none of these.", icon=":material/info:")
        return
    pages = -(-len(kept) // SHOWN)
    page = int(st.number_input(f"Page of {pages:,}", 1, pages, 1, key="gallery-page")) if pages > 1 else 1
    some = kept[(page - 1) * SHOWN : page * SHOWN]
    rows = _rows(str(file), tuple(int(found.row[one]) for one in some))
    columns = st.columns(3, gap="medium")
    for at, (one, (image, text)) in enumerate(zip(some, rows, strict=True)):
        with columns[at % 3], st.container(border=True), failures.contained():
            true, given = classes[found.y_true[one, number]], classes[found.y_pred[one, number]]
            mark = ":green[:material/check:]" if true == given else ":red[:material/close:]"
            st.markdown(f"{mark} **{for_markdown(given)}**, true: {for_markdown(true)}")
            if image is not None:
                try:
                    pictures.show(
                        open_picture(image).image,
                        key=f"row-{one}",
                        place="gallery",
                        alt="A meme of the data set",
                        height=200,
                    )
                except BadPicture as error:
                    failures.tell(str(error))
            if text:
                st.caption(for_markdown(shorten(text, 160)))


@st.cache_data(max_entries=20, show_spinner=False)
def _rows(file: str, places: tuple[int, ...]) -> list[tuple[bytes | None, str]]:
    """Picture and words of these rows of a Parquet file; only their row groups' columns are read."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    names = [name for name in ("image", "text") if name in table.schema_arrow.names]
    held = table.read(names).take(list(places))
    images = held["image"].to_pylist() if "image" in names else [None] * len(places)
    texts = held["text"].to_pylist() if "text" in names else [""] * len(places)
    return [(image or None, text or "") for image, text in zip(images, texts, strict=True)]
