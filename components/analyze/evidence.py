"""What moved the score, each measured by taking it away."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import charts, failures, highlighted_words, pictures
from components.shared.palette import AWAY, NEUTRAL, TOWARD
from models.analysis import Evidence, Shapley, WordEffect

DRAWN_WORDS = 16
"""Bars for the words that moved the score most."""


def shapley_chart(shapley: Shapley) -> go.Figure:
    """From the logit without picture and words, by their shares, to the logit of the meme: a waterfall."""
    names = ["Neither", "Picture", "Words", "This meme"]
    values = [shapley.base, shapley.image, shapley.text, shapley.total]
    signed = [f"{shapley.base:.2f}", f"{shapley.image:+.2f}", f"{shapley.text:+.2f}", f"{shapley.total:.2f}"]
    figure = go.Figure(
        go.Waterfall(
            x=names,
            y=values,
            measure=["absolute", "relative", "relative", "total"],
            text=signed,
            textposition="outside",
            cliponaxis=False,
            increasing_marker_color=TOWARD,
            decreasing_marker_color=AWAY,
            totals_marker_color=NEUTRAL,
            connector={"line": {"color": NEUTRAL, "width": 1, "dash": "dot"}},
            hoverinfo="x+text",
        )
    )
    steps = [shapley.base, shapley.base + shapley.image, shapley.total]
    low, high = min(0.0, *steps), max(0.0, *steps)
    spread = (high - low) or 1.0
    figure.update_yaxes(
        range=[low - 0.16 * spread, high + 0.16 * spread], title="logit", zeroline=True, fixedrange=True
    )
    figure.update_xaxes(fixedrange=True)
    figure.update_layout(showlegend=False)
    return figure


def strongest(effects: tuple[WordEffect, ...], limit: int = DRAWN_WORDS) -> list[WordEffect]:
    """The words with the largest effects, strongest first."""
    return sorted(effects, key=lambda word: -abs(word.effect))[:limit]


def words_chart(effects: list[WordEffect]) -> go.Figure:
    """A bar for each word: to the right where it pushes toward hateful."""
    rows = [(word.text, word.effect, f"{word.effect:+.2f}") for word in effects]
    toward, away = [row for row in rows if row[1] > 0], [row for row in rows if row[1] <= 0]
    figure = charts.bars([("Pushes toward hateful", TOWARD, toward), ("Pushes away from it", AWAY, away)])
    figure.update_xaxes(range=charts.room([word.effect for word in effects]), title="change of the logit")
    figure.update_layout(showlegend=True)
    return figure


def _sides(shapley: Shapley, has_image: bool, has_text: bool) -> None:
    st.subheader("Picture or words", anchor=False)
    st.caption(
        "How far each side carried the score, as exact Shapley values of the logit: above zero leans toward hateful. "
        "A logit of 0 is a probability of 50%, +1 of 73%, -1 of 27%."
    )
    charts.draw(
        shapley_chart(shapley),
        alt=f"Without either the logit is {shapley.base:.2f}; the picture adds {shapley.image:+.2f}, the words "
        f"{shapley.text:+.2f}; together {shapley.total:.2f}.",
        key="chart-shapley",
        height=260,
    )
    if has_image and has_text:
        st.caption(
            f"Interaction {shapley.interaction:+.2f}: what the two say only together. "
            "Half of it stands in each side's bar."
        )


def draw(evidence: Evidence, caption: str, image: Image.Image | None, key: str) -> None:
    """Sides, words and regions; what is missing says so."""
    if evidence.status == "failed" or (evidence.status != "off" and evidence.shapley is None):
        failures.tell(evidence.detail or "What moved the score could not be measured.")
        return
    if evidence.shapley is None:
        st.info("The explanation was not asked for.", icon=":material/visibility_off:")
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _sides(evidence.shapley, image is not None, bool(caption.strip()))
    with right:
        st.subheader("Covering each region", anchor=False)
        if image is None or not evidence.regions:
            st.info("No picture, so there is nothing to cover.", icon=":material/hide_image:")
        else:
            st.caption(
                "Red pushes toward hateful, blue-green away from it; the strongest carry the logit that they add."
            )
            pictures.show(
                overlay.effects(image, evidence.regions),
                key=key,
                place="regions",
                alt="The picture, each region tinted by what covering it does to the score",
                height=300,
            )
    st.subheader("Without each word", anchor=False)
    if not evidence.words:
        st.info("No text found, so there is no word to take away.", icon=":material/text_fields:")
        return
    text, chart = st.columns(2, gap="medium")
    shown = strongest(evidence.words)
    with text:
        st.html(highlighted_words.weighed(caption, evidence.words))
        st.caption(
            "What each word adds to the logit, measured by taking it out: red pushes toward hateful, blue-green away."
        )
    with chart:
        charts.draw(
            words_chart(shown),
            alt="Effect of each word. " + "; ".join(f"{word.text} {word.effect:+.2f}" for word in shown),
            key="chart-words",
            height=80 + charts.ROW * len(shown),
        )
        if len(evidence.words) > len(shown):
            st.caption(f"The {len(shown)} strongest of {len(evidence.words):,} words or runs of words.")
