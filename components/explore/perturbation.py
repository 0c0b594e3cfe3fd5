"""The robustness page's parts: one change by slider, its curve, the smallest change that flips the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import plotly.graph_objects as go
import streamlit as st

from components.shared import charts, highlighted_words, pictures
from components.shared.palette import NEUTRAL, TOWARD, faint
from components.shared.verdict import NAMES, percent, zones
from models.analysis import Bands, Meme, Verdict
from models.robustness.changes import Change, Flip, Point, fitting, smallest_flip, sweep

if TYPE_CHECKING:
    from models.analyzer import Analyzer

ICONS = {"picture": ":material/image:", "words": ":material/text_fields:"}
_CURVES = "robustness"  # in the session: the last `_MAX_CURVES` curves
_MAX_CURVES = 12


@dataclass(frozen=True)
class Curve:
    """The scores at rising strengths and the smallest change that flips the verdict, if any does."""

    points: tuple[Point, ...]
    flip: Flip | None


def choose(meme: Meme, key: str) -> Change:
    """Asks which change to make, of those that fit a meme with these sides."""
    changes = {change.name: change for change in fitting(meme)}
    titles = {name: f"{ICONS[change.side]} {change.title}" for name, change in changes.items()}
    first, show, key = next(iter(changes)), titles.__getitem__, f"change-{key}"
    name = st.segmented_control(
        "What to change", list(changes), default=first, required=True, format_func=show, key=key
    )
    return changes[name or first]


def curve(meme: Meme, change: Change, analyzer: Analyzer, key: str) -> Curve:
    """The curve, computed once for each meme and change, with a bar. Any click elsewhere stops it."""
    curves: dict[tuple[str, str], Curve] = st.session_state.setdefault(_CURVES, {})
    name = (key, change.name)
    if name not in curves:
        text, points = f"{change.title}: judging the changed meme", list[Point]()
        bar = st.progress(0.0, text)
        for point in sweep(analyzer, meme, change):
            points.append(point)
            bar.progress(point.strength, text)
        curves[name] = Curve(tuple(points), smallest_flip(analyzer, meme, change, points))
        while len(curves) > _MAX_CURVES:
            curves.pop(next(iter(curves)))
        bar.empty()
    return curves[name]


def curve_chart(curve: Curve, meme: Meme, change: Change, strength: float, now: Verdict) -> go.Figure:
    """The probability over the strength, on the zones of the verdict."""
    bands = curve.points[0].verdict.bands
    figure = go.Figure()
    for name, low, high, colour in zones(bands):
        if low == high:  # a legacy checkpoint has no middle zone
            continue
        figure.add_hrect(y0=low, y1=high, fillcolor=faint(colour, 0.16), line_width=0, layer="below")
        figure.add_scatter(  # draws nothing: its name stands in the legend
            x=[None], y=[None], mode="markers", marker={"symbol": "square", "size": 12, "color": faint(colour, 0.6)}, name=name
        )  # fmt: skip
    strengths, probs = zip(*((point.strength, point.verdict.probability) for point in curve.points), strict=True)
    figure.add_scatter(
        x=strengths,
        y=probs,
        mode="lines+markers",
        line={"color": NEUTRAL, "width": 3},
        hovertext=[f"{change.describe(meme, x)}: {percent(y)}" for x, y in zip(strengths, probs, strict=True)],
        hoverinfo="text",
        name="Probability of hate",
        showlegend=False,  # the axis says it
    )
    if curve.flip is not None:
        x, line = [curve.flip.point.strength] * 2, {"color": TOWARD, "dash": "dot", "width": 2}
        figure.add_scatter(x=x, y=[0, 1.02], mode="lines", line=line, hoverinfo="skip", name="Smallest flip")
    figure.add_scatter(
        x=[strength],
        y=[now.probability],
        mode="markers",
        marker={"size": 13, "color": TOWARD, "symbol": "diamond"},
        hoverinfo="skip",
        name="The slider's strength",
    )
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", title="probability of hate")
    figure.update_xaxes(range=[-0.02, 1.02], title="strength")
    figure.update_layout(showlegend=True)
    return figure


def describe_bands(bands: Bands) -> str:
    """Where the zones of the verdict begin, in the numbers of the verdict itself."""
    review, hateful = percent(bands.review_from), percent(bands.hateful_from)
    if bands.review_from == bands.hateful_from:
        return f"“{NAMES['hateful']}” begins at {hateful}."
    return f"“{NAMES['needs_review']}” begins at {review} and “{NAMES['hateful']}” at {hateful}."


def draw_curve(curve: Curve, meme: Meme, change: Change, strength: float, now: Verdict, key: str) -> None:
    """The curve, and in words what it takes to flip the verdict."""
    first, last = curve.points[0].verdict, curve.points[-1].verdict
    figure = curve_chart(curve, meme, change, strength, now)
    ends = f"from {percent(first.probability)} untouched to {percent(last.probability)} at full strength"
    charts.draw(figure, alt=f"{change.title}: {ends}.", key=f"curve-{key}-{change.name}", height=340)
    st.caption(f"{describe_bands(first.bands)} Going from one zone into another is a flip.")
    if curve.flip is None:
        st.info(f"No strength of this change flips the verdict “{NAMES[first.label]}”.", icon=":material/shield:")
    else:
        flipped = curve.flip.point
        st.warning(
            f"**Smallest change that flips the verdict:** {change.describe(meme, flipped.strength)}. “{NAMES[first.label]}” "
            f"({percent(first.probability)}) becomes “{NAMES[flipped.verdict.label]}” ({percent(flipped.verdict.probability)}).",
            icon=":material/swap_horiz:",
        )
        if change.side == "words":
            st.html(highlighted_words.plain(change.apply(meme, flipped.strength).caption.text))


def draw_changed(meme: Meme, changed: Meme, now: Verdict, change: Change, strength: float, key: str) -> None:
    """The meme as it has become, and its verdict."""
    st.markdown(f"**{NAMES[now.label]}**, {percent(now.probability)} after {change.describe(meme, strength)}")
    if changed.image is not None:
        alt = f"The meme after {change.title.lower()}"
        pictures.show(changed.image, key=key, place="attacked", alt=alt, height=300)
    if changed.caption.text.strip():
        st.html(highlighted_words.plain(changed.caption.text))
    if change.side == "words" and changed.caption.text == meme.caption.text and strength:
        st.caption("There is nothing in these words that this change could touch.")
