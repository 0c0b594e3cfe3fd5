"""Other lenses on the same meme: second opinions beside the verdict. Stress is read only where the visitor asks for it."""

from collections.abc import Mapping

import plotly.graph_objects as go
import streamlit as st

from components.shared import charts, failures
from models.analysis import Emotion, Lens
from models.lenses import SPECS

STRESS = "read_stress"
YES_OR_NO = ("humour", "sarcasm", "offence", "motivation")  # lenses that are drawn together as one chart

MENTAL_HEALTH = frozenset({"stress", "stress-domain", "axiom", "restore"})
"""Tasks whose answers are never shown without `CARE`."""

CARE = """
It knows nothing about the person who wrote or shared it, and it is **not a diagnosis**. Nothing of it is stored. If you or
somebody you know is struggling, talk to somebody you trust, to a doctor or to a helpline:
[findahelpline.com](https://findahelpline.com) lists free and confidential ones by country. In an emergency call your local
emergency number.
"""
STRESS_READS = "This tells how a text *reads* next to forum posts that annotators called stressed."


def wanted() -> tuple[str, ...]:
    """The names of the lenses to read: those on request only where the visitor asked for them."""
    on_request = bool(st.session_state.get(STRESS))
    return tuple(name for name, spec in SPECS.items() if on_request or not spec.on_request)


def draw(lenses: Mapping[str, Lens]) -> None:
    """All lenses that were read, and the switch for stress."""
    st.caption(
        "Second opinions by small systems trained on Memotion 7k and HarMeme. Annotators of memes agree little, so most of "
        "these are barely better than guessing by frequency: the Evaluation page tells how well each does. The stroke "
        "on a bar is the cut-off that it has to reach to be the answer; each question has its own, often far from half, set so "
        "that answers come as often as in the training rows."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        yes_or_no = [(name, lenses[name]) for name in YES_OR_NO if name in lenses]
        if rows := [(name.capitalize(), score) for name, lens in yes_or_no for score in lens.scores]:
            st.subheader("What it is meant as", anchor=False)
            _draw_chart(rows, "lens-types")
        for name, lens in yes_or_no:
            if not lens.scores:
                tell(name, lens)
    with right:
        for name in ("sentiment", "target"):
            if name in lenses:
                draw_lens(name, lenses[name])
    with st.container(border=True):
        st.toggle(
            "Read stress in the words", key=STRESS, help="Off unless you ask for it, and forgotten with the page."
        )
        if st.session_state.get(STRESS):
            st.markdown(f"{STRESS_READS} {CARE.strip()}")
            if "stress" in lenses:
                draw_lens("stress", lenses["stress"])


def _title(name: str) -> str:
    return "Who is aimed at" if name == "target" else name.capitalize()


def draw_lens(name: str, lens: Lens) -> None:
    """A lens with a chart of its own, or why it has none."""
    st.subheader(_title(name), anchor=False, help=SPECS[name].meaning)
    if lens.scores:
        _draw_chart([(score.label.replace("_", " "), score) for score in lens.scores], f"lens-{name}")
    else:
        tell(name, lens)


def _draw_chart(rows: list[tuple[str, Emotion]], key: str) -> None:
    charts.draw(chart(rows), alt=described(rows), key=key, height=60 + charts.ROW_HEIGHT * len(rows))


def tell(name: str, lens: Lens) -> None:
    """Why a lens has no chart."""
    if lens.status == "failed":
        failures.tell(lens.detail)
    else:
        missing = {"no_text": "no words", "no_image": "no picture"}.get(lens.status, "nothing")
        st.info(f"{_title(name)}: there are {missing} to read it from.", icon=":material/info:")


def chart(rows: list[tuple[str, Emotion]]) -> go.Figure:
    """Bars of probabilities; those that are the answer come first and in colour."""
    return charts.threshold_bars(rows, "The answer", "Not the answer", "Cut-off")


def described(rows: list[tuple[str, Emotion]]) -> str:
    """The chart in words."""
    return "; ".join(
        f"{label} {score.probability:.0%}, cut-off {score.threshold:.0%}{' (the answer)' if score.present else ''}"
        for label, score in rows
    )
