"""The sidebar of every page: what runs, the switch that blurs pictures, and what the model cannot judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from components.shared import engine, failures, pictures, visit
from components.shared.escaping import for_markdown
from components.shared.palette import AWAY
from models import weights
from models.evaluation_files import METRICS, MetricValue, read_json_or_empty
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

# No setting of Streamlit gives what is typed a direction: each line of a box takes that of its own first letter.
TYPED_LINES = "<style>textarea, input { unicode-bidi: plaintext; text-align: start; }</style>"

LIMITS = Path(__file__).with_name("limits.md").read_text(encoding="utf-8")


def draw(retention: str = "Pictures and words are kept only while this page is open.") -> DeltaGenerator:
    """Draw the sidebar; returns the place for `tell`, since the models may still have to be loaded.

    retention: the sentence that says how long pictures and words are kept.
    """
    st.logo(LOGO, size="large")
    st.html(TYPED_LINES)
    with st.sidebar:
        blurred = bool(st.session_state.get(pictures.BLUR))
        how = "Every picture stays blurred until you ask for it."
        st.toggle("Blur pictures until clicked", value=blurred, key=_SWITCH, on_change=_blur, help=how)
        with st.expander("What it cannot judge", icon=":material/balance:"):
            st.markdown(LIMITS)
        with st.expander("Models", icon=":material/memory:"):
            _choose()
        place = st.empty()
        st.caption(f":material/lock: {retention}")
    return place


def _blur() -> None:
    """Copies the switch into a key of its own: the switch's key is lost with its page, and the wish holds for all pages."""
    st.session_state[pictures.BLUR] = st.session_state[_SWITCH]
    pictures.cover_all()


def _choose() -> None:
    """Profile, device and OCR. Everybody who uses this app shares them, so the widgets start at the current choice."""
    chosen = engine.engine().state.choice
    how = "Small models from the repository, or full-size ones that are downloaded. One profile is in memory at a time."
    profile = _pick("Profile", PROFILES, chosen.profile, help=how)
    devices = {name: name.upper() for name in (*likely(), chosen.device)} | {"auto": "The fastest there is"}
    how = "Where the full-size models run. The small ones run on the CPU."
    device = _pick("Device", devices, chosen.device, help=how, disabled=profile == "mini")
    how = "RapidOCR comes with the app. EasyOCR is downloaded once (100 MB) and needs torch."
    ocr = _pick("What reads the picture", ENGINES, chosen.ocr, help=how)
    wanted = engine.Choice(profile, device, ocr)
    if wanted != chosen:
        st.caption("The switch holds for everybody who uses this app, and waits for who is being answered.")
        if st.button("Switch", icon=":material/swap_horiz:", type="primary"):
            if wanted.ocr != chosen.ocr:
                visit.current().reading = None  # the new OCR reads the picture again
            engine.engine().choose(wanted)
            st.rerun()


def _pick(label: str, titles: Mapping[str, str], chosen: str, **settings: Any) -> str:
    names = list(titles)
    return st.selectbox(label, names, index=names.index(chosen), format_func=titles.__getitem__, **settings)


def load_analyzer(place: DeltaGenerator) -> Analyzer | None:
    """The analyzer, described at `place`; None, with its sentence on the page, where it cannot be loaded."""
    with failures.contained():
        with st.spinner("Loading the models", show_time=True):
            analyzer = engine.analyzer()
        tell(place, analyzer.info)
        return analyzer
    return None


def tell(place: DeltaGenerator, info: ProfileInfo) -> None:
    """What runs and why: profile, device, precision, size and AUROC; and what kept another profile from running."""
    state = engine.engine().state
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
    """The verdict's AUROC in plain words; its help says it in the terms of the field."""
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
    """Rows, AUROC and number of rows, from the first of these folders that has them; test and out-of-fold rows come first."""
    for name in names:
        if not name.startswith("hate_"):
            continue
        metrics = read_json_or_empty(weights.root() / name, METRICS)
        if measured := [
            (rows.replace("_", " "), auroc, entry["rows"])
            for rows, entry in metrics.items()
            if isinstance(entry, dict) and (auroc := MetricValue.from_metrics(entry, "auroc")) and auroc.low is not None
        ]:
            return sorted(measured, key=lambda item: not item[0].startswith(("test", "out of fold")))[:MAX_MEASURED]
    return []
