"""The pixel attack on the robustness page: how many pixels, how many tries, a way to stop, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import streamlit as st
from PIL import Image

from components.shared import pictures
from components.shared.verdict import NAMES, percent
from models.analysis import Bands, Meme
from models.robustness.pixel_attack import CANDIDATES, Attack, attack, changed, view

if TYPE_CHECKING:
    from models.analyzer import Analyzer

_KEY = "pixel_hunt"


@dataclass
class Hunt:
    """The visit's last search: on which meme, for how many pixels, with how many tries, what it has, and how it ended.

    It outlives the run that searches. Streamlit ends that run alike for its own stop, for ours and for a click elsewhere, and
    may begin the next one before the last has ended: so a run that finds a search `running` knows that it was interrupted.
    """

    meme: str
    pixels: int
    queries: int
    state: Literal["wanted", "running", "stopped", "done"] = "wanted"
    best: Attack | None = None


def _start(meme: str, pixels: int, queries: int) -> None:
    st.session_state[_KEY] = Hunt(meme, pixels, queries)


def _stop() -> None:
    if _KEY in st.session_state:
        st.session_state[_KEY].state = "stopped"


def search(meme: Meme, analyzer: Analyzer, key: str) -> None:
    """Asks what to search for, searches, and shows the pair of pictures."""
    if meme.image is None:
        st.info("No picture, so there is no pixel to change.", icon=":material/hide_image:")
        return
    st.markdown(
        "Differential evolution looks for the pixels that move this verdict most, seeing nothing but scores "
        "(Su et al. 2019, who fooled 68% of CIFAR-10's pictures and 16% of ImageNet's with one pixel). The picture is "
        "attacked at the 224 by 224 pixels in which the model sees it."
    )
    st.caption(aim(analyzer.bands))
    count, tries = st.columns(2, gap="medium")
    pixels = count.segmented_control("Pixels", [1, 3, 5], default=1, required=True, key=f"pixels-{key}") or 1
    queries = tries.slider("Pictures to try", 100, 2000, 400, 100, key=f"queries-{key}")
    st.button(
        "Search for pixels", icon=":material/target:", key=f"start-{key}", on_click=_start, args=(key, pixels, queries)
    )
    hunt: Hunt | None = st.session_state.get(_KEY)
    if hunt is None or hunt.meme != key:
        return
    if hunt.state == "running" and hunt.best is None:  # overtaken before it could begin: as good as just asked for
        hunt = st.session_state[_KEY] = Hunt(key, hunt.pixels, hunt.queries)
    if hunt.state == "wanted":
        _run(hunt, meme, analyzer)
        st.rerun()
    _tell(hunt, meme, analyzer)


def aim(bands: Bands) -> str:
    """Which of the verdict's lines is attacked, and why its number may differ from the curves'."""
    edge, rounded = f"{bands.hateful_from:.1%}", percent(bands.hateful_from)
    exact = edge if edge == rounded.replace("%", ".0%") else f"{edge}, elsewhere rounded to {rounded}"
    said = (
        f"The attack aims at the line where “{NAMES['hateful']}” begins ({exact}), from whichever side the meme is on."
    )
    if bands.review_from < bands.hateful_from:
        said += (
            f" The other line, at {percent(bands.review_from)}, where “{NAMES['needs_review']}” begins, counts for the "
            "curves under “Changes by strength” alone."
        )
    return said


def _run(hunt: Hunt, meme: Meme, analyzer: Analyzer) -> None:
    """The search with its bar; whatever ends it, `hunt` has the best picture so far."""
    assert meme.image is not None
    hunt.state = "running"
    try:
        bar = st.progress(0.0, "Trying pixels")
        st.button("Stop", icon=":material/stop_circle:", key=f"stop-{hunt.meme}", on_click=_stop)
        before = analyzer.score([Meme(view(meme.image), meme.caption)])[0]
        sign = 1.0 if before.label == "hateful" else -1.0
        edge = analyzer.bands.hateful_from

        def margins(images: Sequence[Image.Image]) -> np.ndarray:
            """How far the verdict is from changing sides: below 0 it has."""
            scored = analyzer.score([Meme(image, meme.caption) for image in images])
            return np.array([sign * (verdict.probability - edge) for verdict in scored])

        def tell(so_far: Attack) -> None:
            hunt.best = so_far  # before the bar: that is where a click or a stop ends this run
            bar.progress(
                min(1.0, so_far.queries / hunt.queries),
                f"{so_far.queries:,} of {hunt.queries:,} pictures tried; the probability went from "
                f"{before.probability:.1%} to {edge + sign * so_far.after:.1%}, and the verdict turns at {edge:.1%}",
            )

        hunt.best = attack(meme.image, margins, pixels=hunt.pixels, queries=hunt.queries, on_round=tell)
        hunt.state = "done"
    except Exception:
        st.session_state.pop(_KEY, None)
        raise


def ended(hunt: Hunt) -> str:
    """How many pictures were tried, and in one clause why not more or fewer."""
    if hunt.best is None:
        return "Stopped before the first pictures were tried."
    tried = f"{hunt.best.queries:,} pictures"
    if hunt.state == "stopped":
        return f"Stopped after {tried} of {hunt.queries:,}; this is the best of them."
    if hunt.state == "running":
        return f"The search was interrupted after {tried} of {hunt.queries:,}; this is the best of them."
    if hunt.best.fooled:
        return f"{tried} tried of {hunt.queries:,}: the verdict turned, so the search ended."
    rounds = (hunt.best.queries - 1) // CANDIDATES
    over = "" if hunt.best.queries >= hunt.queries else f", and another round would have passed {hunt.queries:,}"
    return f"{tried} tried: the untouched one and {rounds} rounds of {CANDIDATES}{over}."


def _tell(hunt: Hunt, meme: Meme, analyzer: Analyzer) -> None:
    if hunt.best is None or meme.image is None:
        st.info(ended(hunt), icon=":material/stop_circle:")
        return
    viewed = view(meme.image)
    before, after = analyzer.score([Meme(image, meme.caption) for image in (viewed, hunt.best.image)])
    side = "crossed" if hunt.best.fooled else "stays above" if before.label == "hateful" else "stays below"
    moved = f"from {before.probability:.1%} to {after.probability:.1%}"
    said = f"{ended(hunt)} The probability went {moved} and {side} {before.bands.hateful_from:.1%}."
    if hunt.best.fooled:
        st.warning(said, icon=":material/swap_horiz:")
    else:
        st.info(said, icon=":material/stop_circle:" if hunt.best.stopped else ":material/shield:")
    if hunt.state == "running":  # the same search once more, for whom it was taken from
        again = (hunt.meme, hunt.pixels, hunt.queries)
        st.button("Start again", icon=":material/restart_alt:", key=f"again-{hunt.meme}", on_click=_start, args=again)
    draw_pair(
        (viewed, hunt.best.image),
        [f"{NAMES[verdict.label]}, {verdict.probability:.1%}" for verdict in (before, after)],
        alts=("The picture before", "The picture after"),
        key=hunt.meme,
        height=260,
    )
    st.caption(where(changed(viewed, hunt.best.image)))


def draw_pair(
    images: Sequence[Image.Image], judged: Sequence[str], *, alts: Sequence[str], key: str, height: int
) -> None:
    """The picture before and after an attack, side by side, each with what it was `judged` and its description."""
    columns = st.columns(2, gap="medium")
    for column, name, image, text, alt in zip(columns, ("Before", "After"), images, judged, alts, strict=True):
        with column:
            st.markdown(f"**{name}**: {text}")
            pictures.show(image, key=key, place=f"pixel-{key}-{name}", alt=alt, height=height)


def where(pixels: Iterable[Sequence[int]]) -> str:
    """Pixels as (x, y, red, green, blue) in words: one of 224 by 224 is hard to find by eye."""
    described = [f"({x}, {y}) is now \\#{bytes(colour).hex()}" for x, y, *colour in pixels]
    if not described:
        return "No pixel brought the score any closer, so the picture is as it was."
    return f"Pixels changed, counted from the upper left: {', '.join(described)}."
