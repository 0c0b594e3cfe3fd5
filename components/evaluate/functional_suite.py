"""A functional test suite in HateCheck's layout (Röttger et al. 2021): accuracy by functionality and by group.

Columns of the public csv: `functionality`, `test_case`, `label_gold` (hateful, non-hateful) and `target_ident`. The cases
go through the analyzer as words alone; nothing of them is kept beyond the page.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from components.shared import charts, engine, failures
from components.shared.escaping import for_markdown, for_plotly, shorten
from components.shared.palette import AWAY, TOWARD
from models.analysis import Caption, Meme
from models.errors import BadInput
from models.io.csv_files import csv_text
from models.io.tables import Budget, csv_rows
from models.io.uploads import UPLOADS

if TYPE_CHECKING:
    from models.analyzer import Analyzer

COLUMNS = ["functionality", "test_case", "label_gold", "target_ident"]
LABELS = ("hateful", "non-hateful")
MAX_CASES = 10_000
NOBODY = "no group"
BATCH_SIZE = 64
_OUTCOME, _FILE = "suite_outcome", "suite_file"  # in the session: (name, results, problems) of the last file; its id


def read(data: bytes) -> tuple[pd.DataFrame, list[str]]:
    """The cases of a csv file, with its `COLUMNS`, and a sentence for each row that is left out.

    Raises `BadInput` for a file that is not UTF-8, lacks a column, or has too many cases or none.
    """
    budget = Budget(MAX_CASES, advice="split the test suite")
    lines = csv_rows(io.BytesIO(data), budget)
    try:
        names = next(lines)
        for name in COLUMNS:
            if name not in names:
                raise BadInput(
                    f"The test suite has no column {name!r}: it has {shorten(', '.join(names), 200) or 'none'}."
                )
        cells = [[(line[name] or "").strip() for name in COLUMNS] for line in lines]
    except UnicodeDecodeError as error:
        raise BadInput("The test suite is not UTF-8 text: save it as csv in UTF-8.") from error
    rows = pd.DataFrame(cells, columns=COLUMNS, dtype=object)
    rows["label_gold"] = rows["label_gold"].str.lower()
    usable = (rows["test_case"] != "") & rows["label_gold"].isin(LABELS)
    problems = []
    for number, (words, label) in rows.loc[~usable, ["test_case", "label_gold"]].iterrows():
        what = (
            f"the label {shorten(label, 40)!r}, which is neither hateful nor non-hateful" if words else "no test_case"
        )
        problems.append(f"Row {number + 2} has {what}, so it is left out.")
    cases = rows[usable].replace({"functionality": {"": "unnamed"}, "target_ident": {"": NOBODY}})
    if cases.empty:
        raise BadInput("The test suite has no case that can be used.")
    return cases, problems


def run(cases: pd.DataFrame, analyzer: Analyzer, on_progress: Callable[[float], object]) -> pd.DataFrame:
    """The cases with their `probability`, and whether the answer at the classifier's own threshold is `right`.

    on_progress: called with the fraction of cases that are done.
    """
    texts, probs = cases["test_case"].tolist(), list[float]()
    for start in range(0, len(texts), BATCH_SIZE):
        memes = [Meme(None, Caption(text, "override")) for text in texts[start : start + BATCH_SIZE]]
        probs += [verdict.probability for verdict in analyzer.score(memes)]
        on_progress(len(probs) / len(texts))
    hateful = np.array(probs) >= analyzer.threshold("hate")
    return cases.assign(probability=probs, right=hateful == (cases["label_gold"] == "hateful"))


def grid(results: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy (NaN where there is no case) and count, by functionality (in the order of the file) and group (the largest first).

    The first row and column are all.
    """
    names, sizes = results["functionality"].unique(), results["target_ident"].value_counts()
    groups = sorted(sizes.index, key=lambda group: (group == NOBODY, -sizes[group], group))
    cells = results.groupby(["functionality", "target_ident"])["right"].agg(["sum", "count"]).unstack(fill_value=0)
    tables = []
    for column in ("sum", "count"):
        rows = cells[column].reindex(index=names, columns=groups).to_numpy()
        rows = np.vstack([rows.sum(0), rows])
        rows = np.hstack([rows.sum(1, keepdims=True), rows])
        tables.append(pd.DataFrame(rows, ["all", *names], ["all", *groups]))
    right, count = tables
    return right / count, count


def heat(accuracy: pd.DataFrame, count: pd.DataFrame) -> go.Figure:
    """One cell per functionality and group, with the accuracy and the number of cases."""
    values = accuracy.to_numpy()
    names = [f"{at}. {for_plotly(shorten(name, 34))}" for at, name in enumerate(accuracy.index[1:], 1)]
    figure = charts.heat_map(
        values,
        ["" if np.isnan(value) else f"{value:.0%}" for value in values.flat],
        x=[for_plotly(shorten(group, 20)) for group in accuracy.columns],
        y=["all", *names],
        colorscale=[[0, TOWARD], [0.5, "#d9c9a3"], [1, AWAY]],
        customdata=count.to_numpy(),
        hovertemplate="%{y}<br>%{x}: %{z:.0%} of %{customdata} cases<extra></extra>",
    )
    figure.update_yaxes(automargin=True)
    figure.update_xaxes(side="top", tickangle=-35)
    return figure


def answers_csv(results: pd.DataFrame) -> str:
    """One line for each case, with the columns of the suite, the probability and whether the answer was right."""
    shown = results.replace({"target_ident": {NOBODY: ""}}).assign(
        probability=results["probability"].map("{:.4f}".format)
    )
    columns = [*COLUMNS, "probability", "right"]
    return csv_text(columns, shown[columns].itertuples(index=False))


def draw() -> None:
    """Ask for a csv, run it once, and show accuracy by functionality and group."""
    st.markdown(
        "Drop a csv in HateCheck's layout (`functionality`, `test_case`, `label_gold`, `target_ident`): each case goes "
        "through the verdict's model, and accuracy is drawn by functionality and group. The file is read here and not kept."
    )
    file = st.file_uploader("Test suite", type=["csv"], key="suite", max_upload_size=10, label_visibility="collapsed")
    if file is not None and file.file_id != st.session_state.get(_FILE):
        st.session_state.pop(_OUTCOME, None)  # a bad file must not stand above the answers to an earlier one
        with failures.contained():
            cases, problems = read(UPLOADS.content(file.getvalue()))
            bar = st.progress(0.0, text=f"Reading {len(cases):,} cases")
            results = run(cases, engine.analyzer(), bar.progress)
            bar.empty()
            st.session_state[_OUTCOME] = (file.name, results, problems)
            st.session_state[_FILE] = file.file_id
    if _OUTCOME in st.session_state:
        with failures.contained():
            _draw_outcome(*st.session_state[_OUTCOME])


def _draw_outcome(name: str, results: pd.DataFrame, problems: list[str]) -> None:
    for problem in problems[:5]:
        st.caption(f":material/warning: {for_markdown(problem)}")
    if len(problems) > 5:
        st.caption(f"And {len(problems) - 5:,} more rows were left out.")
    accuracy, count = grid(results)
    st.markdown(
        f"**{accuracy.iloc[0, 0]:.1%}** of {len(results):,} cases of {for_markdown(name)} right at the classifier's own "
        "threshold."
    )
    accuracies = "; ".join(f"{name} {value:.0%}" for name, value in accuracy.iloc[:, 0].items())
    height = 120 + 24 * len(accuracy)
    alt = f"Accuracy by functionality: {accuracies}"
    charts.draw(heat(accuracy, count), alt=alt, key="chart-suite", height=height)
    st.download_button(
        "Download the answers", answers_csv(results), "suite.csv", "text/csv", icon=":material/download:"
    )
