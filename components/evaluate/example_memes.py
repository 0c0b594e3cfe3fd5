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

PAGE_SIZE = 9
SPLITS = ("train", "validation")


def data_file(data: str, split: int) -> Path:
    """Where the rows would lie."""
    return Path(os.environ.get("SUBTEXT_DATA") or "data") / f"{data}.{SPLITS[split]}.parquet"


def rows_file(predictions: PredictionSet, data: str) -> Path:
    """The file that the predictions' rows are of; it may not be there."""
    return data_file(data, int(predictions.split[0]) if len(predictions.split) else 0)


def draw(predictions: PredictionSet, question: int, data: str) -> None:
    """A page of memes, right and wrong ones; pictures behind the blur where the visitor wants it. The file has to be there."""
    file = rows_file(predictions, data)
    classes = [name.replace("_", " ") for name in predictions.head.questions[question].classes]
    labelled = np.flatnonzero(predictions.labelled(question) & (predictions.row >= 0))
    correct = predictions.y_true[labelled, question] == predictions.y_pred[labelled, question]
    choice = st.segmented_control("Show", ["All", "Right", "Wrong"], default="All", key="gallery-want") or "All"
    matching = labelled if choice == "All" else labelled[correct == (choice == "Right")]
    if not len(matching):
        st.info("There are none of these.", icon=":material/info:")
        return
    pages = -(-len(matching) // PAGE_SIZE)
    page = int(st.number_input(f"Page of {pages:,}", 1, pages, 1, key="gallery-page")) if pages > 1 else 1
    shown = matching[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    rows = _rows(str(file), tuple(int(predictions.row[index]) for index in shown))
    columns = st.columns(3, gap="medium")
    for position, (index, (image, text)) in enumerate(zip(shown, rows, strict=True)):
        with columns[position % 3], st.container(border=True), failures.contained():
            true, predicted = classes[predictions.y_true[index, question]], classes[predictions.y_pred[index, question]]
            mark = ":green[:material/check:]" if true == predicted else ":red[:material/close:]"
            st.markdown(f"{mark} **{for_markdown(predicted)}**, true: {for_markdown(true)}")
            if image is not None:
                try:
                    pictures.show(
                        open_picture(image).image,
                        key=f"row-{index}",
                        place="gallery",
                        alt="A meme of the data set",
                        height=200,
                    )
                except BadPicture as error:
                    failures.tell(str(error))
            if text:
                st.caption(for_markdown(shorten(text, 160)))


@st.cache_data(max_entries=20, show_spinner=False)
def _rows(file: str, row_numbers: tuple[int, ...]) -> list[tuple[bytes | None, str]]:
    """Picture and words of these rows of a Parquet file; only their row groups' columns are read."""
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    names = [name for name in ("image", "text") if name in table.schema_arrow.names]
    columns = table.read(names).take(list(row_numbers))
    images = columns["image"].to_pylist() if "image" in names else [None] * len(row_numbers)
    texts = columns["text"].to_pylist() if "text" in names else [""] * len(row_numbers)
    return [(image or None, text or "") for image, text in zip(images, texts, strict=True)]
