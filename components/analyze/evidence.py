"""What moved the score, each measured by taking it away, and the explanation that is written from the measurements."""

import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from components.analyze import overlay
from components.shared import charts, failures, highlighted_words, pictures
from components.shared.palette import AWAY, NEUTRAL, TOWARD
from models.analysis import Evidence, Explanation, Shapley, WordEffect
from models.io.directions import isolated

DRAWN_WORDS = 16  # bars for the words that moved the score most


def shapley_chart(shapley: Shapley) -> go.Figure:
    """From the logit without picture and words, by their shares, to the logit of the meme: a waterfall."""
    figure = go.Figure()
    figure.add_waterfall(
        x=["Neither", "Picture", "Words", "This meme"],
        y=[shapley.base, shapley.image, shapley.text, shapley.total],
        measure=["absolute", "relative", "relative", "total"],
        text=[f"{shapley.base:.2f}", f"{shapley.image:+.2f}", f"{shapley.text:+.2f}", f"{shapley.total:.2f}"],
        textposition="outside",
        cliponaxis=False,
        increasing_marker_color=TOWARD,
        decreasing_marker_color=AWAY,
        totals_marker_color=NEUTRAL,
        connector={"line": {"color": NEUTRAL, "width": 1, "dash": "dot"}},
        hoverinfo="x+text",
    )
    steps = [0.0, shapley.base, shapley.base + shapley.image, shapley.total]
    space = 0.16 * ((max(steps) - min(steps)) or 1.0)
    figure.update_yaxes(range=[min(steps) - space, max(steps) + space], title="logit", zeroline=True)
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
    ends = [0.0, *(word.effect for word in effects)]
    low, high = min(ends), max(ends)
    spread = (high - low) or 1.0  # with room at both ends for the numbers that stand there
    span = [low - (0.22 if low < 0 else 0.02) * spread, high + 0.22 * spread]
    figure.update_xaxes(range=span, title="change of the logit")
    figure.update_layout(showlegend=True)
    return figure


def draw(evidence: Evidence, caption: str, image: Image.Image | None, key: str) -> None:
    """What the picture, the words, each word and each region did; where something is missing, a sentence says so."""
    shapley = evidence.shapley
    if shapley is None:
        failures.tell(evidence.detail)
        return
    left, right = st.columns(2, gap="medium")
    with left:
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
        if image is not None and caption.strip():
            st.caption(
                f"Interaction {shapley.interaction:+.2f}: what the two say only together. "
                "Half of it stands in each side's bar."
            )
    with right:
        st.subheader("Covering each region", anchor=False)
        if image is None or not evidence.regions:
            st.info("No picture, so there is nothing to cover.", icon=":material/hide_image:")
        else:
            st.caption(
                "Red pushes toward hateful, blue-green away from it; the strongest carry the logit that they add."
            )
            alt = "The picture, each region tinted by what covering it does to the score"
            pictures.show(overlay.effects(image, evidence.regions), key=key, place="regions", alt=alt, height=300)
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
            alt="Effect of each word. " + "; ".join(f"{isolated(word.text)} {word.effect:+.2f}" for word in shown),
            key="chart-words",
            height=80 + charts.ROW_HEIGHT * len(shown),
        )
        if len(evidence.words) > len(shown):
            st.caption(f"The {len(shown)} strongest of {len(evidence.words):,} words or runs of words.")


def draw_explanation(explanation: Explanation) -> None:
    """The written explanation as it stands; it may quote the caption, so nothing in it is read as markup."""
    if explanation.text:
        st.html(highlighted_words.sentences(explanation.text, size="0.92rem"))
    if explanation.cautions:
        with st.expander("What to be careful about", icon=":material/info:"):
            st.html(highlighted_words.listed(explanation.cautions))
