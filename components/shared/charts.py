"""What all charts share: a plain frame in the theme's own fonts and colours, and a description in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.shared.escaping import for_plotly, shorten
from components.shared.palette import AWAY, BETWEEN, NEUTRAL
from models.analysis import Emotion
from models.io.directions import isolated

INK = "#22262e"  # the light theme's text: Streamlit's own grey is too faint on it for numbers this small
ROW_HEIGHT = 23  # CSS pixels for one bar


def draw(figure: go.Figure, *, alt: str, key: str, height: int) -> None:
    """Show a chart of this height in CSS pixels, without toolbar and zoom. `alt` describes it in words."""
    figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        dragmode=False,
        legend={"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
    )
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(fixedrange=True)
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
    figure, at = go.Figure(), 0
    for name, colour, rows in groups:
        if rows:
            labels, values, numbers = zip(*rows, strict=True)
            figure.add_bar(
                x=values,
                y=list(range(at, at + len(rows))),
                orientation="h",
                name=name,
                marker={"color": colour, "cornerradius": 3},
                text=numbers if numbers_at is None else None,
                textposition="outside",
                cliponaxis=False,
                hovertext=[f"{_label(label, 80)}: {n}" for label, n in zip(labels, numbers, strict=True)],
                hoverinfo="text",
            )
            at += len(rows)
    all_rows, places = [row for _, _, rows in groups for row in rows], list(range(at))
    if numbers_at is not None:
        x, text = [numbers_at] * at, [number for _, _, number in all_rows]
        figure.add_scatter(
            x=x, y=places, mode="text", text=text, textposition="middle left", hoverinfo="skip", showlegend=False
        )
    ticks = [_label(label, 26) for label, _, _ in all_rows]
    figure.update_yaxes(tickvals=places, ticktext=ticks, range=[at - 0.4, -0.6], showgrid=False, automargin=True)
    figure.update_xaxes(zeroline=True)
    figure.update_layout(bargap=0.28, barmode="overlay")
    return figure


def _label(text: str, limit: int) -> str:
    return for_plotly(isolated(shorten(text, limit)))


def heat_map(values: np.ndarray, texts: Sequence[str], x: Sequence[str], y: Sequence[str], **cells: Any) -> go.Figure:
    """Numbers from 0 to 1 as coloured cells, the first row on top.

    values: [rows, columns]; texts: what stands in the cells, row by row; cells: further settings of plotly's `Heatmap`.
    """
    rows = np.reshape(np.array(texts, dtype=object), values.shape)
    figure = go.Figure(
        go.Heatmap(z=values, zmin=0, zmax=1, x=x, y=y, text=rows, texttemplate="%{text}", showscale=False, **cells)
    )
    figure.update_yaxes(autorange="reversed")
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
    figure.add_scatter(  # strokes across the bars
        x=[score.threshold for _, score in (*present, *absent)],
        y=list(range(len(scores))),
        mode="markers",
        name=threshold,
        marker={"symbol": "line-ns", "size": 13, "line": {"width": 2, "color": BETWEEN}},
        hovertemplate=f"{threshold.lower()} %{{x:.0%}}<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.14], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(showlegend=True)
    return figure
