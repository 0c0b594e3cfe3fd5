"""Beside every page: what runs, the switch that blurs, and what the model cannot judge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from components.shared import engine, failures, pictures, visit
from components.shared.escaping import for_markdown
from components.shared.palette import AWAY
from models import weights
from models.evaluation_files import METRICS, MetricValue, read_json
from models.ocr.registry import ENGINES
from models.runtime.device import likely

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from models.analysis import ProfileInfo
    from models.analyzer import Analyzer

LOGO = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" role="img" aria-label="Subtext">
<rect x="1" y="3" width="30" height="26" rx="7" fill="{AWAY}"/>
<rect x="7" y="9" width="18" height="4" rx="2" fill="#fff"/><rect x="7" y="18" width="11" height="4" rx="2" fill="#fff"
 opacity=".55"/><text x="41" y="24" font-family="Source Serif 4,Georgia,serif" font-size="24" font-weight="600"
 fill="{AWAY}">Subtext</text></svg>"""

_SWITCH = "blur-switch"
MAX_MEASURED = 2
AUROC_MEANING = "How often it ranks a meme that people marked above one that they did not (guessing: 50%)"

PROFILES = {"auto": "Chosen for you", "mini": "mini: small, no download", "clip": "clip: full size, downloaded"}

LIMITS = """
- Who speaks, to whom, and whether it is meant: irony, quotation and reclaimed words look the same to it.
- Languages other than English, slang that is younger than its data, and images that need knowledge of an event.
- Sarcasm that only the picture gives away, or two harmless halves that are hateful together, are often missed.
- Emotions are what words and faces show, not what anyone feels.

A verdict is a reason to look, never a reason to act without looking. The middle band exists because the model is
often unsure.
"""


def draw(retention: str = "Pictures and words are kept only while this page is open.") -> DeltaGenerator:
    """Draw the sidebar; returns the place for `tell`, since the models may still have to be loaded. `kept` says how long
    what is given is kept."""
    st.logo(LOGO, size="large")
    with st.sidebar:
        st.toggle(
            "Blur pictures until clicked",
            value=bool(st.session_state.get(pictures.BLUR)),
            key=_SWITCH,
            on_change=_blur,
            help="Every picture stays blurred until you ask for it.",
        )
        with st.expander("What it cannot judge", icon=":material/balance:"):
            st.markdown(LIMITS)
        with st.expander("Models", icon=":material/memory:"):
            _choose()
        place = st.empty()
        st.caption(f":material/lock: {retention}")
    return place


def _blur() -> None:
    """Who asks for it on one page means all of them, while each page has a switch of its own: the answer is kept apart."""
    st.session_state[pictures.BLUR] = st.session_state[_SWITCH]
    pictures.cover_all()


def _choose() -> None:
    """Profile, device and OCR. What runs is shared by everybody who uses this app, so the widgets show what is chosen."""
    chosen = engine.state().choice
    profile = st.selectbox(
        "Profile",
        list(PROFILES),
        index=list(PROFILES).index(chosen.profile),
        format_func=PROFILES.__getitem__,
        help="Small models from the repository, or full-size ones that are downloaded. One profile is in memory at a time.",
    )
    devices = list(dict.fromkeys((*likely(), chosen.device)))
    device = st.selectbox(
        "Device",
        devices,
        index=devices.index(chosen.device),
        format_func=lambda name: {"auto": "The fastest there is"}.get(name, name.upper()),
        disabled=profile == "mini",
        help="Where the full-size models run. The small ones run on the CPU.",
    )
    ocr = st.selectbox(
        "What reads the picture",
        list(ENGINES),
        index=list(ENGINES).index(chosen.ocr),
        format_func=ENGINES.__getitem__,
        help="RapidOCR comes with the app. EasyOCR is downloaded once (100 MB) and needs torch.",
    )
    wanted = engine.Choice(profile, device, ocr)
    if wanted != chosen:
        st.caption("The switch holds for everybody who uses this app, and waits for who is being answered.")
        if st.button("Switch", icon=":material/swap_horiz:", type="primary"):
            if wanted.ocr != chosen.ocr:
                visit.current().reading = None  # the picture is read anew
            engine.choose(wanted)
            st.rerun()


def load_analyzer(place: DeltaGenerator) -> Analyzer | None:
    """The analyzer, described at `place`; None, with its sentence on the page, where it cannot be loaded."""
    analyzer = None
    with failures.contained(), st.spinner("Loading the models", show_time=True):
        analyzer = engine.analyzer()
    if analyzer is not None:
        tell(place, analyzer.info)
    return analyzer


def tell(place: DeltaGenerator, info: ProfileInfo) -> None:
    """What runs and why: profile, device, precision, size and figures; and what kept another profile from running."""
    state = engine.state()
    kind = {"mini": "small", "clip": "full-size"}.get(info.name)
    with place.container():
        st.caption(
            f":material/memory: The {kind + ' ' if kind else ''}models run here (profile **{info.name}**)",
            help=f"On {info.device.upper()}, counting in {info.dtype}; {info.parameters / 1e6:,.1f} million parameters, "
            "which are the numbers that training set.",
        )
        if state.why:
            st.caption(f":material/info: {for_markdown(state.why)}")
        _verdict_auroc(info.weights)
        if state.problem:
            st.warning(for_markdown(state.problem), icon=":material/warning:")


def _verdict_auroc(names: Iterable[str]) -> None:
    """The verdict's AUROC on out-of-fold and validation rows, in plain words and in the terms of the field."""
    lines = [f":material/monitoring: {for_markdown(AUROC_MEANING)}"]
    terms = ["In brackets the 95% interval. In the terms of the field:"]
    for rows, auroc, count in _measured(names):
        split, _, data = rows.partition(", ")
        where = f"{data}, unseen in training" if split == "out of fold" and data else rows
        pairs = f"{auroc.value:.0%} of pairs ({auroc.low:.0%} to {auroc.high:.0%})"
        lines.append(f"· {for_markdown(f'{pairs}: {count:,} memes, {where}')}")
        interval = f"({auroc.interval('.2f')}, chance 0.50)"
        terms.append(for_markdown(f"AUROC {auroc.value:.2f} {interval} on {rows}, {count:,} rows"))
    if len(lines) > 1:
        st.caption("  \n".join(lines), help="  \n".join(terms))
    else:
        st.caption("These models came without figures.")


def _measured(names: Iterable[str]) -> list[tuple[str, MetricValue, int]]:
    """Rows, AUROC and number of rows, from the first of these folders that has them; out-of-fold rows come first."""
    for name in names:
        if not name.startswith("hate_"):
            continue
        try:
            measured = [
                (rows.replace("_", " "), auroc, entry["rows"])
                for rows, entry in read_json(weights.root() / name, METRICS).items()
                if isinstance(entry, dict)
                and (auroc := MetricValue.from_metrics(entry, "auroc"))
                and auroc.low is not None
            ]
        except (OSError, ValueError, KeyError):
            continue
        return sorted(measured, key=lambda item: not item[0].startswith(("test", "out of fold")))[:MAX_MEASURED]
    return []
