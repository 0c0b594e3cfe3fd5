"""A functional test suite in HateCheck's layout (Röttger et al. 2021): accuracy by functionality and by group.

Columns of the public csv: `functionality`, `test_case`, `label_gold` (hateful, non-hateful) and `target_ident`. The cases
go through the analyzer as words alone; nothing of them is kept beyond the page.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.evaluate.metric_tables import as_csv
from components.shared import charts, engine, failures
from components.shared.escaping import for_plotly, shorten
from components.shared.palette import AWAY, TOWARD
from models.analysis import Caption, Meme
from models.errors import BadInput

if TYPE_CHECKING:
    from models.analyzer import Analyzer

COLUMNS = ("functionality", "test_case", "label_gold", "target_ident")
LABELS = {"hateful": True, "non-hateful": False}
MAX_CASES = 10_000
NOBODY = "no group"
BATCH_SIZE = 64
OUTCOME_KEY = "suite_outcome"  # in the session: (name, results, problems) of the last file that was read


@dataclass(frozen=True)
class Case:
    """A test case: its words, whether they are hateful, and the group that they are about."""

    functionality: str
    text: str
    hateful: bool
    group: str


@dataclass(frozen=True)
class Result:
    """`right` says whether the answer at the classifier's own threshold was the gold one."""

    case: Case
    probability: float
    right: bool


def read(data: bytes) -> tuple[list[Case], list[str]]:
    """The cases of a csv file, and a sentence for each row that is left out. `BadInput` names a missing column."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput("The test suite is not UTF-8 text: save it as csv in UTF-8.") from error
    rows = csv.DictReader(io.StringIO(text))
    have = rows.fieldnames or []
    for name in COLUMNS:
        if name not in have:
            raise BadInput(f"The test suite has no column {name!r}: it has {', '.join(have) or 'none'}.")
    cases: list[Case] = []
    problems: list[str] = []
    for number, row in enumerate(rows, start=2):
        words, label = (row["test_case"] or "").strip(), (row["label_gold"] or "").strip().lower()
        if not words or label not in LABELS:
            what = "no test_case" if not words else f"the label {label!r}, which is neither hateful nor non-hateful"
            problems.append(f"Row {number} has {what}, so it is left out.")
        else:
            group = (row["target_ident"] or "").strip() or NOBODY
            cases.append(Case((row["functionality"] or "").strip() or "unnamed", words, LABELS[label], group))
        if len(cases) > MAX_CASES:
            raise BadInput(f"The test suite has more than {MAX_CASES:,} cases: split it.")
    if not cases:
        raise BadInput("The test suite has no case that can be used.")
    return cases, problems


def run(cases: Sequence[Case], analyzer: Analyzer, on_progress: Callable[[float], object]) -> list[Result]:
    """All cases through `Analyzer.score`; `told` hears the share that is done."""
    threshold, results = analyzer.threshold("hate"), []
    for start in range(0, len(cases), BATCH_SIZE):
        batch = cases[start : start + BATCH_SIZE]
        verdicts = analyzer.score([Meme(None, Caption(case.text, "override")) for case in batch])
        for case, verdict in zip(batch, verdicts, strict=True):
            results.append(Result(case, verdict.probability, (verdict.probability >= threshold) == case.hateful))
        on_progress(min(1.0, (start + len(batch)) / len(cases)))
    return results


@dataclass(frozen=True)
class Grid:
    """Accuracy and count, [functionalities, groups]; NaN where there is no case. The first row and column are all."""

    functionalities: tuple[str, ...]
    groups: tuple[str, ...]
    accuracy: np.ndarray
    count: np.ndarray


def grid(results: Sequence[Result]) -> Grid:
    """By functionality (in the order of the file) and group (the largest first)."""
    names = list(dict.fromkeys(result.case.functionality for result in results))
    sizes: dict[str, int] = {}
    for result in results:
        sizes[result.case.group] = sizes.get(result.case.group, 0) + 1
    groups = sorted(sizes, key=lambda group: (group == NOBODY, -sizes[group], group))
    right, count = np.zeros((len(names) + 1, len(groups) + 1)), np.zeros((len(names) + 1, len(groups) + 1), int)
    for result in results:
        row, column = names.index(result.case.functionality) + 1, groups.index(result.case.group) + 1
        for place in ((row, column), (0, column), (row, 0), (0, 0)):
            right[place] += result.right
            count[place] += 1
    accuracy = np.where(count > 0, right / np.maximum(count, 1), np.nan)
    return Grid(("all", *names), ("all", *groups), accuracy, count)


def heat(grid: Grid) -> go.Figure:
    """A cell a functionality and group, with its accuracy and how many cases it rests on."""
    text = [
        ["" if not n else f"{a:.0%}" for a, n in zip(row, counts, strict=True)]
        for row, counts in zip(grid.accuracy, grid.count, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=grid.accuracy, zmin=0, zmax=1, customdata=grid.count,
            x=[for_plotly(shorten(group, 20)) for group in grid.groups],
            y=["all", *(f"{at}. {for_plotly(shorten(name, 34))}" for at, name in enumerate(grid.functionalities[1:], 1))],
            colorscale=[[0, TOWARD], [0.5, "#d9c9a3"], [1, AWAY]], showscale=False, text=text, texttemplate="%{text}",
            hovertemplate="%{y}<br>%{x}: %{z:.0%} of %{customdata} cases<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", fixedrange=True, automargin=True)
    figure.update_xaxes(side="top", fixedrange=True, tickangle=-35)
    return figure


def answers_csv(results: Sequence[Result]) -> str:
    """One line for each case, with the columns of the suite, the probability and whether the answer was right."""
    rows = []
    for result in results:
        case = result.case
        gold, group = "hateful" if case.hateful else "non-hateful", "" if case.group == NOBODY else case.group
        values = (case.functionality, case.text, gold, group)
        rows.append(
            {
                **dict(zip(COLUMNS, values, strict=True)),
                "probability": f"{result.probability:.4f}",
                "right": result.right,
            }
        )
    return as_csv(rows)


def draw() -> None:
    """Ask for a csv, run it once, and show accuracy by functionality and group."""
    st.markdown(
        "Drop a csv in HateCheck's layout (`functionality`, `test_case`, `label_gold`, `target_ident`): each case goes "
        "through the verdict's model, and accuracy is drawn by functionality and group. The file is read here and not kept."
    )
    file = st.file_uploader("Test suite", type=["csv"], key="suite", max_upload_size=10, label_visibility="collapsed")
    if file is not None and file.file_id != st.session_state.get("suite_file"):
        st.session_state.pop(OUTCOME_KEY, None)  # a bad file must not stand above the answers to an earlier one
        with failures.contained():
            cases, problems = read(file.getvalue())
            bar = st.progress(0.0, text=f"Reading {len(cases):,} cases")
            results = run(cases, engine.analyzer(), bar.progress)
            bar.empty()
            st.session_state[OUTCOME_KEY] = (file.name, results, problems)
            st.session_state["suite_file"] = file.file_id
    if OUTCOME_KEY in st.session_state:
        with failures.contained():
            _outcome(*st.session_state[OUTCOME_KEY])


def _outcome(name: str, results: list[Result], problems: list[str]) -> None:
    for problem in problems[:5]:
        st.caption(f":material/warning: {problem}")
    if len(problems) > 5:
        st.caption(f"And {len(problems) - 5:,} more rows were left out.")
    shown = grid(results)
    st.markdown(
        f"**{shown.accuracy[0, 0]:.1%}** of {len(results):,} cases of `{name.replace('`', '')}` right at the classifier's own "
        "threshold."
    )
    accuracies = "; ".join(
        f"{name} {value:.0%}" for name, value in zip(shown.functionalities, shown.accuracy[:, 0], strict=True)
    )
    height = 120 + 24 * len(shown.functionalities)
    charts.draw(heat(shown), alt=f"Accuracy by functionality: {accuracies}", key="chart-suite", height=height)
    st.download_button(
        "Download the answers", answers_csv(results), "suite.csv", "text/csv", icon=":material/download:"
    )
