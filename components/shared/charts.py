"""What all charts share: a plain frame in the theme's own fonts and colours, and a description in words."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from components.shared.escaping import for_plotly, shorten
from components.shared.palette import AWAY, BETWEEN, NEUTRAL
from models.analysis import Emotion

INK = "#22262e"  # the light theme's text: Streamlit's own grey is too faint on it for numbers this small
ROW = 23
"""CSS pixels for one bar."""


def draw(figure: go.Figure, *, alt: str, key: str, height: int) -> None:
    """Show a chart without a toolbar, with no zooming by accident on a phone."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
    )
    if st.context.theme.type == "light":
        figure.update_layout(font_color=INK)
        for axes in (figure.update_xaxes, figure.update_yaxes):
            axes(tickfont_color=INK, title_font_color=INK)
    config = {"displayModeBar": False, "scrollZoom": False}
    st.plotly_chart(figure, width="stretch", theme="streamlit", key=key, alt=alt, config=config)


def bars(
    groups: Sequence[tuple[str, str, Sequence[tuple[str, float, str]]]], *, numbers_at: float | None = None
) -> go.Figure:
    """Horizontal bars from the top, in the order given.

    groups: (name in the legend, colour, rows of (label, value, its number as text)). Labels may be equal: bars are
    placed by their rank, not by name. Numbers stand at the end of their bars, or all at `numbers_at`.
    """
    figure, labels, at = go.Figure(), [], 0
    for name, colour, rows in groups:
        if not rows:
            continue
        places = list(range(at, at + len(rows)))
        at += len(rows)
        labels += [for_plotly(shorten(label, 26)) for label, _, _ in rows]
        figure.add_bar(
            x=[value for _, value, _ in rows],
            y=places,
            orientation="h",
            name=name,
            marker={"color": colour, "cornerradius": 3},
            text=[end for _, _, end in rows] if numbers_at is None else None,
            textposition="outside",
            cliponaxis=False,
            hovertext=[f"{for_plotly(shorten(label, 80))}: {end}" for label, _, end in rows],
            hoverinfo="text",
        )
    if numbers_at is not None:
        ends = [end for _, _, rows in groups for _, _, end in rows]
        figure.add_scatter(
            x=[numbers_at] * at,
            y=list(range(at)),
            mode="text",
            text=ends,
            textposition="middle left",
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_yaxes(
        tickvals=list(range(at)),
        ticktext=labels,
        range=[at - 0.4, -0.6],
        showgrid=False,
        automargin=True,
        fixedrange=True,
    )
    figure.update_xaxes(zeroline=True, fixedrange=True)
    figure.update_layout(bargap=0.28, barmode="overlay")
    return figure


def threshold_bars(scores: Sequence[tuple[str, Emotion]], above: str, below: str, threshold: str) -> go.Figure:
    """Probabilities as bars, those above their thresholds first and in colour, each with its threshold as a stroke.

    scores: (label, score); above, below, threshold: names in the legend.
    """
    present = [item for item in scores if item[1].present]
    absent = [item for item in scores if not item[1].present]
    groups = [
        (name, colour, [(label, score.probability, f"{score.probability:.0%}") for label, score in rows])
        for name, colour, rows in ((above, AWAY, present), (below, NEUTRAL, absent))
    ]
    figure = bars(groups, numbers_at=1.13)
    _strokes(figure, [score.threshold for _, score in (*present, *absent)], threshold)
    figure.update_xaxes(range=[0, 1.14], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(showlegend=True)
    return figure


def _strokes(figure: go.Figure, values: Sequence[float], name: str) -> None:
    """A stroke across each bar of `bars`, in their order: what its value is measured against."""
    figure.add_scatter(
        x=list(values),
        y=list(range(len(values))),
        mode="markers",
        name=name,
        marker={"symbol": "line-ns", "size": 13, "line": {"width": 2, "color": BETWEEN}},
        hovertemplate=f"{name.lower()} %{{x:.0%}}<extra></extra>",
    )


def room(values: Sequence[float], share: float = 0.22) -> list[float]:
    """A range around signed values with space at both ends for the numbers that stand there."""
    low, high = min([0.0, *values]), max([0.0, *values])
    spread = (high - low) or 1.0
    return [low - share * spread if low < 0 else -0.02 * spread, high + share * spread]
