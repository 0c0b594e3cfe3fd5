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

_KEY = "pixel_attack"  # in the session: the last `AttackRun`


@dataclass
class AttackRun:
    """The visit's last search: the meme's key, how many pixels may change, how many pictures may be tried, and the best so far.

    It outlives the script run that searches. Streamlit ends that run in the same way for its own stop button, for ours and
    for a click elsewhere, and may begin the next one earlier. A script run that sees a search `running` therefore knows that
    it was interrupted.
    """

    meme: str
    pixels: int
    queries: int
    state: Literal["wanted", "running", "stopped", "done"] = "wanted"
    best: Attack | None = None


def _start(meme: str, pixels: int, queries: int) -> None:
    st.session_state[_KEY] = AttackRun(meme, pixels, queries)


def _stop() -> None:
    """Marks the search as stopped; it is gone where it failed in the meantime."""
    if _KEY in st.session_state:
        st.session_state[_KEY].state = "stopped"


def draw(meme: Meme, analyzer: Analyzer, key: str) -> None:
    """Asks how to search, searches, and shows the pair of pictures."""
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
    run: AttackRun | None = st.session_state.get(_KEY)
    if run is None or run.meme != key:
        return
    if run.state == "running" and run.best is None:  # interrupted before its first round: it begins again
        run = st.session_state[_KEY] = AttackRun(key, run.pixels, run.queries)
    if run.state == "wanted":
        _search(run, meme, analyzer)
        st.rerun()
    _draw_result(run, meme, analyzer)


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


def _search(run: AttackRun, meme: Meme, analyzer: Analyzer) -> None:
    """Searches with a progress bar; whatever ends it, `run` has the best picture so far."""
    assert meme.image is not None
    run.state = "running"
    try:
        bar = st.progress(0.0, "Trying pixels")
        st.button("Stop", icon=":material/stop_circle:", key=f"stop-{run.meme}", on_click=_stop)
        before = analyzer.score([Meme(view(meme.image), meme.caption)])[0]
        sign = 1.0 if before.label == "hateful" else -1.0
        edge = analyzer.bands.hateful_from

        def margins(images: Sequence[Image.Image]) -> np.ndarray:
            """How far each picture is from the other side of the threshold; below 0 it has crossed."""
            scored = analyzer.score([Meme(image, meme.caption) for image in images])
            return np.array([sign * (verdict.probability - edge) for verdict in scored])

        def tell(so_far: Attack) -> None:
            run.best = so_far  # before the bar: that is where a click or a stop ends this run
            bar.progress(
                min(1.0, so_far.queries / run.queries),
                f"{so_far.queries:,} of {run.queries:,} pictures tried; the probability went from "
                f"{before.probability:.1%} to {edge + sign * so_far.after:.1%}, and the verdict turns at {edge:.1%}",
            )

        run.best = attack(meme.image, margins, pixels=run.pixels, queries=run.queries, on_round=tell)
        run.state = "done"
    except Exception:
        st.session_state.pop(_KEY, None)
        raise


def ended(run: AttackRun) -> str:
    """How many pictures were tried, and why the search ended there."""
    if run.best is None:
        return "Stopped before the first pictures were tried."
    tried = f"{run.best.queries:,} pictures"
    if run.state == "stopped":
        return f"Stopped after {tried} of {run.queries:,}; this is the best of them."
    if run.state == "running":
        return f"The search was interrupted after {tried} of {run.queries:,}; this is the best of them."
    if run.best.fooled:
        return f"{tried} tried of {run.queries:,}: the verdict turned, so the search ended."
    rounds = (run.best.queries - 1) // CANDIDATES
    over = "" if run.best.queries >= run.queries else f", and another round would have passed {run.queries:,}"
    return f"{tried} tried: the untouched one and {rounds} rounds of {CANDIDATES}{over}."


def _draw_result(run: AttackRun, meme: Meme, analyzer: Analyzer) -> None:
    if run.best is None or meme.image is None:
        st.info(ended(run), icon=":material/stop_circle:")
        return
    viewed = view(meme.image)
    before, after = analyzer.score([Meme(image, meme.caption) for image in (viewed, run.best.image)])
    side = "crossed" if run.best.fooled else "stays above" if before.label == "hateful" else "stays below"
    moved = f"from {before.probability:.1%} to {after.probability:.1%}"
    said = f"{ended(run)} The probability went {moved} and {side} {before.bands.hateful_from:.1%}."
    if run.best.fooled:
        st.warning(said, icon=":material/swap_horiz:")
    else:
        st.info(said, icon=":material/stop_circle:" if run.best.stopped else ":material/shield:")
    if run.state == "running":  # it was interrupted: offer the same search again
        again = (run.meme, run.pixels, run.queries)
        st.button("Start again", icon=":material/restart_alt:", key=f"again-{run.meme}", on_click=_start, args=again)
    draw_pair(
        (viewed, run.best.image),
        [f"{NAMES[verdict.label]}, {verdict.probability:.1%}" for verdict in (before, after)],
        alts=("The picture before", "The picture after"),
        key=run.meme,
        height=260,
    )
    st.caption(where(changed(viewed, run.best.image)))


def draw_pair(
    images: Sequence[Image.Image], judged: Sequence[str], *, alts: Sequence[str], key: str, height: int
) -> None:
    """The picture before and after an attack, side by side. `judged` says what each was judged, `alts` describe them."""
    columns = st.columns(2, gap="medium")
    for column, name, image, text, alt in zip(columns, ("Before", "After"), images, judged, alts, strict=True):
        with column:
            st.markdown(f"**{name}**: {text}")
            pictures.show(image, key=key, place=f"pixel-{key}-{name}", alt=alt, height=height)


def where(pixels: Iterable[Sequence[int]]) -> str:
    """Pixels (x, y, red, green, blue) in words, since one pixel of 224 by 224 is hard to see."""
    described = [f"({x}, {y}) is now \\#{bytes(colour).hex()}" for x, y, *colour in pixels]
    if not described:
        return "No pixel brought the score any closer, so the picture is as it was."
    return f"Pixels changed, counted from the upper left: {', '.join(described)}."
