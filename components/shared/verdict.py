"""The verdict in words and drawn against both bands, and the smaller second opinion beside it."""

import plotly.graph_objects as go
import streamlit as st

from components.shared import charts
from components.shared.escaping import for_markdown, shorten
from components.shared.palette import AWAY, BETWEEN, TOWARD, faint
from models.analysis import Bands, Harm, Label, Verdict
from models.reading import Reading

NAMES: dict[Label, str] = {"hateful": "Hateful", "needs_review": "Needs a human look", "not_hateful": "Not hateful"}
COLOURS: dict[Label, str] = {"hateful": TOWARD, "needs_review": BETWEEN, "not_hateful": AWAY}
TITLES: dict[Label, str] = {  # in its colour and with its icon, as Streamlit's Markdown
    "hateful": ":red[:material/report: Hateful]",
    "needs_review": ":yellow[:material/person_search: Needs a human look]",
    "not_hateful": ":green[:material/check_circle: Not hateful]",
}


READ = 160  # characters that are shown of another reading


def percent(value: float) -> str:
    """A percentage, rounded as the explanation rounds it: 0.445 is 0.45 there and 45% here, never 44%."""
    return f"{float(f'{value:.2f}'):.0%}"


def zones(bands: Bands) -> list[tuple[str, float, float, str]]:
    """The three zones of the probability as (name, from, to, colour), from left to right."""
    return [
        (NAMES["not_hateful"], 0.0, bands.review_from, AWAY),
        (NAMES["needs_review"], bands.review_from, bands.hateful_from, BETWEEN),
        (NAMES["hateful"], bands.hateful_from, 1.0, TOWARD),
    ]


def describe(verdict: Verdict) -> str:
    """The band chart in words, for those who cannot see it."""
    middle = verdict.bands.review_from < verdict.bands.hateful_from  # a legacy checkpoint has no middle zone
    return (
        f"{NAMES[verdict.label]}: probability {percent(verdict.probability)}. "
        f"Below {percent(verdict.bands.review_from)} is not hateful, from {percent(verdict.bands.hateful_from)} on is "
        f"hateful{', between them a person should look' if middle else ''}."
    )


def describe_reading(reading: Reading) -> str:
    """Another way to read the caption, and which of the two decided."""
    quoted, as_written = f"“{shorten(reading.text, READ)}”", percent(reading.probability_as_written)
    if reading.decided:
        return f"Read as {quoted}: as written {as_written}, so read {percent(reading.probability)}."
    return (
        f"It may be read as {quoted} too ({percent(reading.probability)}): the words as written decide ({as_written})."
    )


def band_chart(verdict: Verdict) -> go.Figure:
    """The probability on a line from 0 to 1 that is divided by the two bands."""
    figure = go.Figure()
    low, high = percent(verdict.bands.review_from), percent(verdict.bands.hateful_from)
    middle = (verdict.bands.review_from + verdict.bands.hateful_from) / 2
    places = (
        ("left", 0.0, f"below {low}"),
        ("center", min(max(middle, 0.42), 0.62), f"{low} to {high}"),  # its name clear of the outer two on a phone
        ("right", 1.0, f"{high} and more"),
    )
    for (name, start, end, colour), (anchor, x, reach) in zip(zones(verdict.bands), places, strict=True):
        if anchor == "center" and start >= end:  # a legacy checkpoint has no middle zone
            continue
        figure.add_shape(
            type="rect", x0=start, x1=end, y0=0, y1=1, layer="below", line_width=0, fillcolor=faint(colour, 0.42)
        )
        text = f'<span style="color:{colour}">■</span> {name}<br>{reach}'
        figure.add_annotation(
            x=x, y=-0.15, text=text, showarrow=False, xanchor=anchor, yanchor="top", align=anchor, font_size=12
        )
    here, colour = verdict.probability, COLOURS[verdict.label]
    figure.add_shape(type="line", x0=here, x1=here, y0=0, y1=1.15, line={"width": 4, "color": colour})
    figure.add_scatter(
        x=[here],
        y=[1.3],
        mode="markers+text",
        marker={"symbol": "triangle-down", "size": 12, "color": colour},
        text=[f"<b>{percent(here)}</b>"],
        textposition="middle right" if here < 0.85 else "middle left",
        textfont_size=15,
        hoverinfo="skip",
    )
    figure.update_xaxes(visible=False, range=[-0.005, 1.005])
    figure.update_yaxes(visible=False, range=[-2.0, 2.0])
    figure.update_layout(showlegend=False)
    return figure


def draw(verdict: Verdict, harm: Harm | None) -> None:
    """The probability against the bands and what the label means; beside it, smaller, the second opinion if any."""
    against, beside = st.columns([5, 2], gap="medium")
    with against:
        charts.draw(band_chart(verdict), alt=describe(verdict), key="chart-verdict", height=112)
    with beside:
        if harm is None:
            st.caption("This profile was trained for hate alone.")
        else:
            text = f":small[Harmful, as HarMeme's annotators would judge it: **{percent(harm.probability)}**]"
            st.progress(min(max(harm.probability, 0.0), 1.0), text=text)
            st.markdown(":small[:gray[Not the verdict]]", help=for_markdown(harm.meaning), width="content")
    if verdict.reading is not None:
        st.markdown(for_markdown(describe_reading(verdict.reading)))
    st.caption(for_markdown(verdict.meaning))
