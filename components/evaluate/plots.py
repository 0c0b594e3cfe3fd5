"""The Evaluation page's drawings of figures and predictions: table, curves, reliability, confusion, thresholds."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.evaluate import curves
from components.evaluate.trained_models import SHOWN_METRICS, Measurement, table
from components.shared import charts
from components.shared.escaping import for_plotly
from components.shared.palette import AWAY, BETWEEN, NEUTRAL, TOWARD
from models.evaluation_files import MetricValue, PredictionSet

NAMES = {
    "macro_f1": "Macro-F1",
    "accuracy": "Accuracy",
    "auroc": "AUROC",
    "weighted_f1": "Weighted F1",
    "brier": "Brier",
    "ece": "ECE",
}
ROWS = {
    "validation": "Validation rows, by what ships",
    "out of fold": "Training rows, each by the network that did not see it",
}
LOW_IS_GOOD = {"brier", "ece"}
COLOURS = (AWAY, TOWARD, BETWEEN, NEUTRAL, "#7b5ea7", "#4f8f4f", "#b05d2c", "#5b7db1")


def told(rows: str) -> str:
    """A set of rows in words."""
    return ROWS.get(rows, rows.capitalize())


def draw_table(measurements: Sequence[Measurement]) -> None:
    """All figures with intervals and baselines: sorted by a click on a column, downloaded as csv."""
    shown = []
    for item in measurements:
        row: dict[str, Any] = {"Model": item.title, "Task": item.task, "Measured on": item.rows.replace("_", " ")}
        for name in SHOWN_METRICS:
            metric = MetricValue.from_metrics(item.metrics, name)
            row[NAMES[name]] = metric and metric.value
            if name == "macro_f1":
                row["95% interval"] = metric.interval() if metric else "–"
                row["Always the commonest"] = metric and metric.majority
        shown.append(row | {"Rows": int(item.metrics["rows"])})
    columns: dict[str, Any] = {
        title: st.column_config.NumberColumn(format="%.3f") for title in (*NAMES.values(), "Always the commonest")
    }
    columns |= {name: st.column_config.Column(width=145) for name in ("Task", "Measured on")}
    columns["Model"] = st.column_config.Column(width=195, pinned=True)  # stays in sight on a phone, with room beside it
    st.dataframe(shown, column_config=columns, hide_index=True, width="stretch")
    st.download_button(
        "Download the table", as_csv(table(measurements)), "figures.csv", "text/csv", icon=":material/download:"
    )


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows with their union of columns, in the order in which they first appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    held = io.StringIO()
    writer = csv.DictWriter(held, names)
    writer.writeheader()
    writer.writerows(rows)
    return held.getvalue()


def curves_of(found: PredictionSet, number: int) -> None:
    """ROC and precision against recall, one curve a class against the rest (of yes or no: the yes)."""
    known = found.labelled(number)
    target, chances = found.y_true[known, number], found.probs[number][known]
    classes = found.head.questions[number].classes
    wanted = [1] if len(classes) == 2 else list(range(len(classes)))
    roc, pr = go.Figure(), go.Figure()
    told = []
    for one in wanted:
        here = (target == one).astype(int)
        if here.min() == here.max():
            continue
        x, y = curves.roc(here, chances[:, one])
        recall, precision = curves.precision_recall(here, chances[:, one])
        colour, label = COLOURS[one % len(COLOURS)], for_plotly(classes[one].replace("_", " "))
        told.append(f"{classes[one].replace('_', ' ')}: area {curves.area(x, y):.3f}, share {here.mean():.2f}")
        roc.add_scatter(x=x, y=y, name=f"{label}, {curves.area(x, y):.2f}", line={"color": colour, "width": 2})
        pr.add_scatter(x=recall, y=precision, name=label, line={"color": colour, "width": 2})
        pr.add_scatter(
            x=[0, 1], y=[here.mean()] * 2, line={"color": colour, "dash": "dot", "width": 1}, showlegend=False,
            hoverinfo="skip",
        )  # fmt: skip
    roc.add_scatter(x=[0, 1], y=[0, 1], line={"color": NEUTRAL, "dash": "dot"}, showlegend=False, hoverinfo="skip")
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("ROC", anchor=False)
        _axes(roc, "False positive rate", "True positive rate")
        charts.draw(roc, alt=f"ROC curves. {'; '.join(told)}", key="chart-roc", height=360)
    with right:
        st.subheader("Precision and recall", anchor=False)
        _axes(pr, "Recall", "Precision")
        charts.draw(pr, alt=f"Precision against recall. {'; '.join(told)}", key="chart-pr", height=360)
    st.caption(f"{_on(found, number)} Dotted lines: guessing. Beside a name in the ROC: the area under its curve.")


def reliability(found: PredictionSet, number: int) -> None:
    """How often what was said with some probability was true, before and after calibration."""
    known = found.labelled(number)
    target = found.y_true[known, number]
    classes = found.head.questions[number].classes
    figure, told = go.Figure(), []
    for name, parts, colour, mark in (
        ("before calibration", found.uncalibrated_probs, NEUTRAL, "circle-open"),
        ("after calibration", found.probs, AWAY, "circle"),
    ):
        chances = parts[number][known]
        said = chances[:, 1] if len(classes) == 2 else chances.max(1)
        right = (target == 1) if len(classes) == 2 else (chances.argmax(1) == target)
        bins = curves.reliability(right.astype(float), said)
        told.append(f"{name}: expected calibration error {bins.ece:.3f}")
        figure.add_scatter(
            x=bins.said, y=bins.true, mode="lines+markers", name=f"{name}, ECE {bins.ece:.3f}",
            line={"color": colour}, marker={"symbol": mark, "size": 6 + 14 * np.sqrt(bins.rows / bins.rows.max())},
            text=[f"{rows} rows" for rows in bins.rows], hovertemplate="said %{x:.2f}, true %{y:.2f}, %{text}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 1], line={"color": NEUTRAL, "dash": "dot"}, showlegend=False, hoverinfo="skip")
    what = f"of “{classes[1].replace('_', ' ')}”" if len(classes) == 2 else "of the likeliest class"
    _axes(figure, f"Probability said {what}", "Share that was true")
    charts.draw(figure, alt="Reliability. " + "; ".join(told), key="chart-reliability", height=400)
    st.caption(
        f"{_on(found, number)} On the dotted line a probability of 0.7 is right seven times out of ten. Larger points stand "
        "for more rows. ECE: expected calibration error."
    )


def confusion(found: PredictionSet, number: int) -> None:
    """A heat map: rows are what is true, columns what was answered; shares of each true class, and counts."""
    known = found.labelled(number)
    names = [name.replace("_", " ") for name in found.head.questions[number].classes]
    counts = curves.confusion(found.y_true[known, number], found.y_pred[known, number], len(names))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=shares, x=[for_plotly(name) for name in names], y=[for_plotly(name) for name in names], zmin=0, zmax=1,
            colorscale=[[0, "rgba(43,129,150,0.06)"], [1, AWAY]], showscale=False,
            text=[[f"{shares[i, j]:.0%}<br>{counts[i, j]:,}" for j in range(len(names))] for i in range(len(names))],
            texttemplate="%{text}", hoverinfo="skip",
            textfont={"color": charts.INK if st.context.theme.type == "light" else "#e9ecf1"},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", title="True", fixedrange=True, showgrid=False)
    figure.update_xaxes(title="Answered", side="bottom", fixedrange=True, showgrid=False)
    told = "; ".join(f"of true {name} {shares[i, i]:.0%} answered so" for i, name in enumerate(names))
    charts.draw(figure, alt=f"Confusion matrix: {told}", key="chart-confusion", height=150 + 62 * len(names))
    st.table(
        [{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()} for row in report(counts, names)],
        hide_index=True,
    )
    cut = (
        f" Answered “{names[1]}” from a probability of {found.head.rules[number].threshold():.2f} on."
        if len(names) == 2
        else ""
    )
    st.caption(_on(found, number) + cut)


def report(counts: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """The classification report: precision, recall, F1 and rows a class, then their plain mean."""
    hits, true, given = np.diag(counts), counts.sum(1), counts.sum(0)
    precision, recall = hits / np.maximum(given, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + given, 1)
    rows = [
        {"Class": name, "Precision": precision[i], "Recall": recall[i], "F1": f1[i], "Rows": int(true[i])}
        for i, name in enumerate(names)
    ]
    mean = {
        "Class": "mean",
        "Precision": precision.mean(),
        "Recall": recall.mean(),
        "F1": f1.mean(),
        "Rows": int(true.sum()),
    }
    return [*rows, mean]


def thresholds(found: PredictionSet, number: int, bands: tuple[float, float] | None = None) -> None:
    """Two thresholds with what they do on rows that were not learned from; they begin at `bands`, where the app has any."""
    classes = found.head.questions[number].classes
    known = found.labelled(number)
    names = [name.replace("_", " ") for name in classes]
    one = 1 if len(classes) == 2 else names.index(st.selectbox("Class", names, key="threshold-class"))
    target, chance = (found.y_true[known, number] == one).astype(int), found.probs[number][known][:, one]
    start = found.head.rules[number].threshold() if len(classes) == 2 else float(target.mean())
    start = min(0.99, max(0.01, round(start, 2)))
    begin = (max(0.0, round(start - 0.1, 2)), start) if bands is None else (round(bands[0], 2), round(bands[1], 2))
    low, high = st.slider(
        f"Send to a person from … and call it “{names[one]}” from …", 0.0, 1.0, begin, 0.01,
        key=f"threshold-{found.head.name}-{number}-{one}",
    )  # fmt: skip
    seen = curves.at_threshold(target, chance, low, high)
    shown = (
        ("Precision", seen.precision, "Of what is answered yes, the share that is true"),
        ("Recall", seen.recall, "Of what is true, the share that is answered yes"),
        ("Review load", seen.review, "The share of all rows that a person would look at"),
        ("Missed", seen.missed, "Of what is true, the share below both thresholds"),
    )
    for (title, value, meaning), column in zip(shown, st.columns(4), strict=True):
        column.metric(title, "–" if value is None else f"{value:.0%}", help=meaning)
    told = f"{_on(found, number)} Of these, {int(target.sum()):,} are {names[one]}. "
    if bands is not None:
        told += f"The verdict's own thresholds are {bands[0]:.2f} for a human look and {bands[1]:.2f} for {names[one]}."
    elif len(classes) == 2:
        told += f"The model itself answers “{names[one]}” from {start:.2f} on and sends nothing to a person."
    st.caption(told)


def _on(found: PredictionSet, number: int) -> str:
    return f"On {int((found.labelled(number)).sum()):,} rows ({found.rows.replace('_', ' ')})."


def _axes(figure: go.Figure, x: str, y: str) -> None:
    figure.update_xaxes(title=x, range=[-0.01, 1.01], fixedrange=True)
    figure.update_yaxes(title=y, range=[-0.01, 1.02], fixedrange=True)
