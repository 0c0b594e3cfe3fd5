"""A batch on the page: how far it is, what was found so far, and a table that can be filtered and sorted."""

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st
from PIL import Image

from components.shared import highlighted_words, pictures
from components.shared.escaping import for_markdown, shorten
from components.shared.verdict import NAMES, READ
from models.classifiers.targets import KINDS, TARGETS, TITLES
from models.io.directions import isolated
from models.io.flat_row import Row
from models.io.language import NAMES as LANGUAGES
from models.lenses import NONE

PAGE_SIZE = 100  # rows drawn at once: all 10,000 with their pictures would take the browser minutes
ALL, ERRORS = "All", "Errors"
BANDS = dict(zip((*NAMES, "error"), (*NAMES.values(), ERRORS), strict=True))
FILTERS = {
    "group": ("Speak of", [*(TITLES[name] for name in TARGETS), NONE]),
    "kind": ("Kind of hate", [*(TITLES[name] for name in KINDS), NONE]),
}
"""The columns whose names can be counted and chosen from: how they are called, and the names."""
GROUPS_ARE = (
    "A group is named whether it is spoken of kindly or not; the kind is told where the verdict is not “Not hateful”. A meme "
    "counts for each of its names. Both are read from the words alone, and err more on groups that were rare in training."
)
ORDERS = ("As given", "Most hateful first", "Least hateful first", "Most harmful first")


def counts(by_band: Mapping[str, int]) -> None:
    """How many fell into each band, and how many could not be used."""
    with st.container(horizontal=True):  # side by side on a desk, two in a row on a phone
        for key, name in BANDS.items():
            st.metric(name, f"{by_band.get(key, 0):,}", border=True, width=170)


def progress(done: int, total: int, speed: float) -> None:
    """The bar with what is left, as far as the speed tells."""
    left = (total - done) / speed if speed else 0.0
    time = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
    rest = f", about {time} left" if speed and done < total else ""
    st.progress(done / total if total else 1.0, f"{done:,} of {total:,} memes, {speed:.1f} a second{rest}")


def names_in(row: Row, column: str) -> list[str]:
    """The names that a row has in such a column."""
    return [name for name in row.systems.get(column, "").split("; ") if name in FILTERS[column][1]]


def count_names(rows: Sequence[Row], column: str) -> dict[str, int]:
    """How many of the rows have each name of such a column, the commonest first; a row counts for each of its names."""
    return dict(Counter(name for row in rows for name in names_in(row, column)).most_common())


def select(rows: Sequence[Row], band: str, order: str, names: Mapping[str, str] | None = None) -> list[int]:
    """The positions of the rows to show: those of a band, in an order. Rows without a number come last.

    `names`: by column, the name that a row must have there.
    """
    wanted = {column: name for column, name in (names or {}).items() if name != ALL}
    places = [
        place
        for place, row in enumerate(rows)
        if band in (ALL, BANDS[row.label or "error"])
        and all(name in names_in(row, column) for column, name in wanted.items())
    ]
    if order == ORDERS[0]:
        return places
    by_harm = order == ORDERS[3]
    values = pd.Series([rows[place].harm if by_harm else rows[place].probability for place in places], places, float)
    return list(values.sort_values(ascending=order == ORDERS[2], kind="stable", na_position="last").index)


def table(rows: Sequence[Row], thumbnails: Sequence[bytes | None], systems: Sequence[str]) -> None:
    """The rows of a band, a page of them at a time, with their pictures; a click on a column's head sorts the page."""
    filters = [column for column in FILTERS if column in systems]
    for column in filters:
        draw_counts(FILTERS[column][0], count_names(rows, column))
    if filters:
        st.caption(GROUPS_ARE)
    names: dict[str, str] = {}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        band = st.segmented_control("Show", [ALL, *BANDS.values()], default=ALL, key="batch_band") or ALL
        order = st.selectbox("Order", ORDERS, key="batch_order", width=220)
        for column in filters:
            title, known = FILTERS[column]
            names[column] = st.selectbox(title, [ALL, *known], key=f"batch_{column}", width=180)
        places = select(rows, band, order, names)
        view = "_".join((band, order, *names.values()))
        pages = -(-len(places) // PAGE_SIZE)
        page = 1
        if pages > 1:
            page = st.number_input(f"Page of {pages}", 1, pages, 1, key=f"batch_page_{view}", width=140)
    if not places:
        st.caption("There is none of these.")
        return
    shown = places[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    hide = bool(st.session_state.get(pictures.BLUR))
    selection = st.dataframe(
        pd.DataFrame([_cells(rows[place], thumbnails[place], systems, hide=hide) for place in shown]),
        hide_index=True,
        row_height=64,
        column_config={
            "Picture": st.column_config.ImageColumn(width=90),
            "Hateful": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f"),
            "Harmful": st.column_config.NumberColumn(format="%.2f"),
            "Words": st.column_config.TextColumn(width="large"),
        },
        on_select="rerun",
        selection_mode="single-row",
        key=f"batch_table_{view}_{page}",
    )
    if chosen := selection.selection.rows:
        draw_row(rows[shown[chosen[0]]])
    else:
        st.caption("Tick a row to see all of its words, or why it could not be read.")


def draw_counts(title: str, count_of: Mapping[str, int]) -> None:
    """How many memes have each name, in a line."""
    listed = ", ".join(f"{for_markdown(name)} {count:,}" for name, count in count_of.items())
    st.markdown(f"**{title}**: {listed or 'nothing yet'}")


def draw_row(row: Row) -> None:
    """What the table has no room for. The batch keeps no picture: only the page Meme says what moved a verdict."""
    with st.container(border=True):
        st.markdown(f"**{for_markdown(isolated(row.id))}**: {BANDS[row.label] if row.label else 'Error'}")
        st.html(highlighted_words.plain((row.caption or "No words.") if row.status == "ok" else row.error))
        if row.status == "ok":
            if row.read_as:
                st.text(f"Read as “{shorten(row.read_as, READ)}”.")
            st.caption("What moved the verdict: give this meme to the page Meme.")


def _cells(row: Row, small: bytes | None, systems: Sequence[str], *, hide: bool) -> dict[str, object]:
    words = {"ocr": "read", "override": "given", "none": "none"}[row.caption_source]
    return {
        "Picture": _data_url(small, hide=hide) if small else None,
        "File": row.id,
        "Verdict": BANDS[row.label] if row.label else "Error",
        "Hateful": row.probability,
        "Harmful": row.harm,
        "Words": row.caption if row.status == "ok" else row.error,
        "Words are": words if row.status == "ok" else "",
        "Language": LANGUAGES.get(row.language or "", ""),
        **{name.replace("-", " ").capitalize(): row.systems.get(name, "") for name in systems},
    }


def _data_url(small: bytes, *, hide: bool) -> str:
    """The thumbnail in WebP for the table; to hide it, it is blurred here, so that the browser holds nothing else."""
    if hide:
        buffer = io.BytesIO()
        pictures.blurred(Image.open(io.BytesIO(small))).resize((48, 48)).save(buffer, "WEBP", quality=40)
        small = buffer.getvalue()
    return "data:image/webp;base64," + base64.b64encode(small).decode()
