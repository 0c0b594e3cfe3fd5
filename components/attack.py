"""The robustness page's parts: one change by slider, its curve, the smallest change that flips the verdict, pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from components import charts, pictures, words
from components.palette import NEUTRAL, TOWARD, faint
from components.verdict import NAMES, percent, zones
from models.analysis import Meme, Verdict
from models.robustness.pixel_attack import Attack, attack, view
from models.robustness.sweep import Change, Flip, Point, fitting, smallest_flip, sweep

if TYPE_CHECKING:
    from models.analyzer import Analyzer

ICONS = {"picture": ":material/image:", "words": ":material/text_fields:"}
_KEY = "robustness"
_WANTED = "pixel_wanted"  # the search that was asked for and has not ended
_KEPT = 12  # curves of one visit


@dataclass(frozen=True)
class Curve:
    """A sweep that was drawn and the smallest change in it that flips the verdict."""

    points: tuple[Point, ...]
    flip: Flip | None


def choose(meme: Meme, key: str) -> Change:
    """Which change to make; those that the meme has no side for are left out."""
    there = {change.name: change for change in fitting(meme)}
    name = st.segmented_control(
        "What to change",
        options=list(there),
        format_func=lambda name: f"{ICONS[there[name].side]} {there[name].title}",
        default=next(iter(there)),
        required=True,
        key=f"change-{key}",
    )
    return there.get(name or "", next(iter(there.values())))


def curve(meme: Meme, change: Change, analyzer: Analyzer, key: str) -> Curve:
    """The scores at rising strengths, computed once a meme and change, with a bar. Any click elsewhere stops it."""
    kept: dict[tuple[str, str], Curve] = st.session_state.setdefault(_KEY, {})
    name = (key, change.name)
    if name not in kept:
        bar = st.progress(0.0, f"{change.title}: judging the changed meme")
        points: list[Point] = []
        for point in sweep(analyzer, meme, change):
            points.append(point)
            bar.progress(point.strength, f"{change.title}: judging the changed meme")
        kept[name] = Curve(tuple(points), smallest_flip(analyzer, meme, change, points))
        while len(kept) > _KEPT:
            kept.pop(next(iter(kept)))
        bar.empty()
    return kept[name]


def curve_chart(found: Curve, change: Change, strength: float, now: Verdict) -> go.Figure:
    """The probability over the strength, on the zones of the verdict."""
    bands = found.points[0].verdict.bands
    figure = go.Figure()
    for _, low, high, colour in zones(bands):
        figure.add_hrect(y0=low, y1=high, fillcolor=faint(colour, 0.16), line_width=0, layer="below")
    figure.add_scatter(
        x=[point.strength for point in found.points],
        y=[point.verdict.probability for point in found.points],
        mode="lines+markers",
        line={"color": NEUTRAL, "width": 3},
        hovertext=[
            f"{change.said(found.points[0].meme, point.strength)}: {percent(point.verdict.probability)}"
            for point in found.points
        ],
        hoverinfo="text",
        name="Probability of hate",
    )
    if found.flip is not None:
        figure.add_vline(x=found.flip.point.strength, line={"color": TOWARD, "dash": "dot", "width": 2})
    figure.add_scatter(
        x=[strength],
        y=[now.probability],
        mode="markers",
        marker={"size": 13, "color": TOWARD, "symbol": "diamond"},
        hoverinfo="skip",
        name="Shown",
    )
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", title="probability of hate", fixedrange=True)
    figure.update_xaxes(range=[-0.02, 1.02], title="strength", fixedrange=True)
    figure.update_layout(showlegend=False)
    return figure


def draw_curve(found: Curve, meme: Meme, change: Change, strength: float, now: Verdict, key: str) -> None:
    """The curve, and in words what it takes to flip the verdict."""
    first, last = found.points[0].verdict, found.points[-1].verdict
    charts.draw(
        curve_chart(found, change, strength, now),
        alt=f"{change.title}: from {percent(first.probability)} untouched to {percent(last.probability)} at full strength.",
        key=f"curve-{key}-{change.name}",
        height=300,
    )
    if found.flip is None:
        st.info(f"No strength of this change flips the verdict “{NAMES[first.label]}”.", icon=":material/shield:")
    else:
        flipped = found.flip.point
        st.warning(
            f"**Smallest change that flips the verdict:** {change.said(meme, flipped.strength)}. “{NAMES[first.label]}” "
            f"({percent(first.probability)}) becomes “{NAMES[flipped.verdict.label]}” ({percent(flipped.verdict.probability)}).",
            icon=":material/swap_horiz:",
        )
        if change.side == "words":
            st.html(words.plain(flipped.meme.caption.text))


def draw_changed(meme: Meme, changed: Meme, now: Verdict, change: Change, strength: float, key: str) -> None:
    """The meme as it has become, and its verdict."""
    st.markdown(f"**{NAMES[now.label]}**, {percent(now.probability)} after {change.said(meme, strength)}")
    if changed.image is not None:
        pictures.show(
            changed.image, key=key, place="attacked", alt=f"The meme after {change.title.lower()}", height=300
        )
    if changed.caption.text.strip():
        st.html(words.plain(changed.caption.text))
    if change.side == "words" and changed.caption.text == meme.caption.text and strength:
        st.caption("There is nothing in these words that this change could touch.")


def pixel_search(meme: Meme, analyzer: Analyzer, key: str) -> None:
    """The pixel attack: how many pixels, how many tries; with progress, a way to stop, and the pair of pictures."""
    if meme.image is None:
        st.info("No picture, so there is no pixel to change.", icon=":material/hide_image:")
        return
    st.markdown(
        "Differential evolution looks for the pixels that move this verdict most, seeing nothing but scores "
        "(Su et al. 2019, who fooled 68% of CIFAR-10's pictures and 16% of ImageNet's with one pixel). The picture is "
        "attacked at the 224 by 224 pixels in which the model sees it."
    )
    count, tries = st.columns(2, gap="medium")
    pixels = count.segmented_control("Pixels", [1, 3, 5], default=1, required=True, key=f"pixels-{key}") or 1
    queries = tries.slider("Pictures to try", 100, 2000, 400, 100, key=f"queries-{key}")
    name = f"pixel-{key}-{pixels}-{queries}"
    results: dict[str, Attack] = st.session_state.setdefault("pixel_attacks", {})
    st.button("Search for pixels", icon=":material/target:", key=f"start-{key}", on_click=_want, args=(name,))
    # What is wanted outlives the run: a rerun that nobody asked for starts the search again instead of losing it.
    if st.session_state.get(_WANTED) == name:
        bar = st.progress(0.0, "Trying pixels")
        st.button("Stop", icon=":material/stop_circle:", key=f"stop-{key}", on_click=_want, args=("",))
        before = analyzer.score([Meme(view(meme.image), meme.caption)])[0]
        sign = 1.0 if before.label == "hateful" else -1.0
        edge = analyzer.bands.hateful_from

        def margins(images: Sequence[Image.Image]) -> np.ndarray:
            """How far the verdict is from changing sides: below 0 it has."""
            scored = analyzer.score([Meme(image, meme.caption) for image in images])
            return np.array([sign * (verdict.probability - edge) for verdict in scored])

        def tell(asked: int, best: float) -> None:
            bar.progress(
                min(1.0, asked / queries),
                f"{asked:,} of {queries:,} pictures tried; the probability went from {before.probability:.1%} to "
                f"{edge + sign * best:.1%}, and the verdict turns at {edge:.0%}",
            )

        results.clear()  # a picture a visit is enough to keep
        try:
            results[name] = attack(meme.image, margins, pixels=pixels, queries=queries, on_queries=tell)
        except Exception:
            _want("")
            raise
        _want("")
        st.rerun()
    if name in results:
        _draw_pair(meme, results[name], analyzer, key)


def _want(name: str) -> None:
    st.session_state[_WANTED] = name


def _draw_pair(meme: Meme, done: Attack, analyzer: Analyzer, key: str) -> None:
    pair = [Meme(view(meme.image), meme.caption), Meme(done.image, meme.caption)] if meme.image is not None else []
    before, after = analyzer.score(pair)
    said = f"{done.queries:,} pictures tried. The probability went from {before.probability:.1%} to {after.probability:.1%}; "
    if done.fooled:
        st.warning(f"{said} the verdict changed sides.", icon=":material/swap_horiz:")
    else:
        st.info(f"{said} the verdict stays on its side.", icon=":material/shield:")
    left, right = st.columns(2, gap="medium")
    for column, one, verdict, name in ((left, pair[0], before, "Before"), (right, pair[1], after, "After")):
        with column:
            st.markdown(f"**{name}**: {NAMES[verdict.label]}, {verdict.probability:.1%}")
            if one.image is not None:
                pictures.show(one.image, key=key, place=f"pixel-{name}", alt=f"The picture {name.lower()}", height=260)
    if meme.image is not None:
        st.caption(_changed(view(meme.image), done.image))


def _changed(before: Image.Image, after: Image.Image) -> str:
    """Where the pixels are that were changed, and into what: one of 224 by 224 is hard to find by eye."""
    old, new = np.asarray(before.convert("RGB")), np.asarray(after.convert("RGB"))
    rows, columns = np.nonzero((old != new).any(-1))
    if not len(rows):
        return "No pixel brought the score any closer, so the picture is as it was."
    told = [f"({x}, {y}) is now \\#{bytes(new[y, x]).hex()}" for x, y in zip(columns, rows, strict=True)]
    return f"Pixels changed, counted from the upper left: {', '.join(told)}."
