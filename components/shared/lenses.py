"""Other lenses on the same meme: second opinions beside the verdict. Stress is read only where the visitor asks for it."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from components.shared import charts, failures
from models.analysis import Emotion, Lens
from models.classifiers.targets import TITLES
from models.errors import SubtextError
from models.lenses import SPECS, rows_learned_from

STRESS = "read_stress"
DATA = "hate_targets"  # the published sentences that the lens of groups learned from
YES_OR_NO = ("humour", "sarcasm", "offence", "motivation")  # lenses that are drawn together as one chart

TITLES_OF = {"target": "Who is aimed at", "group": "Who is spoken of", "kind": "What kind of hate"}
SHORTEST = 5  # bars of a lens with many labels; all that are present are drawn
FEW = 100  # sentences of the data set below which a page tells how few they were
GROUP_MEANS = (
    "These are the groups that the words speak of, **kindly or not**: a name here says nothing about hate. The words alone are "
    "read, and the cut-off is set so that names come as often as they are true."
)
KIND_MEANS = (
    "Learned from English sentences that annotators called hateful; threats and dehumanising were rare among them."
)

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
        if "group" in lenses:
            draw_lens("group", lenses["group"])
            st.caption(f"{GROUP_MEANS} {few_rows()}")
    with right:
        for name in ("sentiment", "target", "kind"):
            if name in lenses:
                draw_lens(name, lenses[name])
        if "kind" in lenses and lenses["kind"].scores:
            st.caption(KIND_MEANS)
    with st.container(border=True):
        st.toggle(
            "Read stress in the words", key=STRESS, help="Off unless you ask for it, and forgotten with the page."
        )
        if st.session_state.get(STRESS):
            st.markdown(f"{STRESS_READS} {CARE.strip()}")
            if "stress" in lenses:
                draw_lens("stress", lenses["stress"])


def _title(name: str) -> str:
    return TITLES_OF.get(name, name.capitalize())


def draw_lens(name: str, lens: Lens) -> None:
    """A lens with a chart of its own, or why it has none."""
    st.subheader(_title(name), anchor=False, help=SPECS[name].meaning)
    if lens.scores:
        shown = shortened(lens.scores) if not SPECS[name].target else lens.scores
        rows = [(TITLES.get(score.label, score.label.replace("_", " ")), score) for score in shown]
        _draw_chart(rows, f"lens-{name}")
    else:
        tell(name, lens)


def shortened(scores: Sequence[Emotion]) -> list[Emotion]:
    """The likeliest of many labels, and all that are present; those present come first."""
    return [score for place, score in enumerate(scores) if score.present or place < SHORTEST]


def few_rows() -> str:
    """A sentence on the groups that the lens learned from few sentences; empty where its model does not tell."""
    try:
        by_source = rows_learned_from(SPECS["group"])
    except SubtextError:  # the lens has said so
        return ""
    templates, counts = by_source.get("templates", {}), by_source.get(DATA, {})
    few = [
        f"{TITLES[name]} ({count:,} and {templates.get(name, 0):,})"
        for name, count in sorted(counts.items(), key=lambda item: item[1])
        if count < FEW
    ]
    return f"Some were learned from few published sentences and more of our templates: {', '.join(few)}." if few else ""


def _draw_chart(rows: list[tuple[str, Emotion]], key: str) -> None:
    charts.draw(chart(rows), alt=described(rows), key=key, height=60 + charts.ROW_HEIGHT * len(rows))


def tell(name: str, lens: Lens) -> None:
    """Why a lens has no chart."""
    if lens.status == "failed":
        failures.tell(lens.detail)
    elif lens.status == "off":
        st.caption(lens.detail)
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
