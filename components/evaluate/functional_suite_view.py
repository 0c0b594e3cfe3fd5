"""Where a functional test suite is dropped, and what came of it, which stays while other views are looked at."""

from __future__ import annotations

import streamlit as st

from components.evaluate import functional_suite
from components.shared import charts, engine, failures

KEPT = "suite_outcome"
"""In the session: (name, results, problems) of the last file that was read; gone with the visit."""


def draw() -> None:
    """Ask for a csv, run it once, and show accuracy by functionality and group."""
    st.markdown(
        "Drop a csv in HateCheck's layout (`functionality`, `test_case`, `label_gold`, `target_ident`): each case goes "
        "through the verdict's model, and accuracy is drawn by functionality and group. The file is read here and not kept."
    )
    file = st.file_uploader("Test suite", type=["csv"], key="suite", max_upload_size=10, label_visibility="collapsed")
    if file is not None and file.file_id != st.session_state.get("suite_file"):
        st.session_state.pop(KEPT, None)  # a bad file must not stand above the answers to an earlier one
        with failures.contained():
            cases, problems = functional_suite.read(file.getvalue())
            bar = st.progress(0.0, text=f"Reading {len(cases):,} cases")

            def told(share: float) -> None:
                bar.progress(share)

            results = functional_suite.run(cases, engine.analyzer(), told)
            bar.empty()
            st.session_state[KEPT] = (file.name, results, problems)
            st.session_state["suite_file"] = file.file_id
    if KEPT in st.session_state:
        with failures.contained():
            _outcome(*st.session_state[KEPT])


def _outcome(name: str, results: list[functional_suite.Result], problems: list[str]) -> None:
    for problem in problems[:5]:
        st.caption(f":material/warning: {problem}")
    if len(problems) > 5:
        st.caption(f"And {len(problems) - 5:,} more rows were left out.")
    grid = functional_suite.grid(results)
    st.markdown(
        f"**{grid.accuracy[0, 0]:.1%}** of {len(results):,} cases of `{name.replace('`', '')}` right at the classifier's own "
        "threshold."
    )
    told = "; ".join(f"{one} {value:.0%}" for one, value in zip(grid.functionalities, grid.accuracy[:, 0], strict=True))
    height = 120 + 24 * len(grid.functionalities)
    charts.draw(functional_suite.heat(grid), alt=f"Accuracy by functionality: {told}", key="chart-suite", height=height)
    st.download_button(
        "Download the answers", functional_suite.as_csv(results), "suite.csv", "text/csv", icon=":material/download:"
    )
