"""The Evaluation page's plots of predictions: curves, reliability, confusion, thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.evaluate import curves
from components.shared import charts
from components.shared.escaping import for_plotly
from components.shared.palette import AWAY, BETWEEN, NEUTRAL, TOWARD
from models.evaluation_files import PredictionSet

COLOURS = (AWAY, TOWARD, BETWEEN, NEUTRAL, "#7b5ea7", "#4f8f4f", "#b05d2c", "#5b7db1")


def curves_of(predictions: PredictionSet, question: int) -> None:
    """ROC and precision against recall, one curve a class against the rest (of yes or no: the yes)."""
    known = predictions.labelled(question)
    target, probs = predictions.y_true[known, question], predictions.probs[question][known]
    classes = predictions.head.questions[question].classes
    drawn = [1] if len(classes) == 2 else list(range(len(classes)))
    roc, pr = go.Figure(), go.Figure()
    descriptions = []
    for number in drawn:
        y_true = (target == number).astype(int)
        if y_true.min() == y_true.max():
            continue
        x, y = curves.roc(y_true, probs[:, number])
        recall, precision = curves.precision_recall(y_true, probs[:, number])
        colour, label = COLOURS[number % len(COLOURS)], for_plotly(classes[number].replace("_", " "))
        descriptions.append(
            f"{classes[number].replace('_', ' ')}: area {curves.area(x, y):.3f}, share {y_true.mean():.2f}"
        )
        roc.add_scatter(x=x, y=y, name=f"{label}, {curves.area(x, y):.2f}", line={"color": colour, "width": 2})
        pr.add_scatter(x=recall, y=precision, name=label, line={"color": colour, "width": 2})
        pr.add_scatter(
            x=[0, 1], y=[y_true.mean()] * 2, line={"color": colour, "dash": "dot", "width": 1}, showlegend=False,
            hoverinfo="skip",
        )  # fmt: skip
    roc.add_scatter(x=[0, 1], y=[0, 1], line={"color": NEUTRAL, "dash": "dot"}, showlegend=False, hoverinfo="skip")
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("ROC", anchor=False)
        _axes(roc, "False positive rate", "True positive rate")
        charts.draw(roc, alt=f"ROC curves. {'; '.join(descriptions)}", key="chart-roc", height=360)
    with right:
        st.subheader("Precision and recall", anchor=False)
        _axes(pr, "Recall", "Precision")
        charts.draw(pr, alt=f"Precision against recall. {'; '.join(descriptions)}", key="chart-pr", height=360)
    st.caption(
        f"{_on(predictions, question)} Dotted lines: guessing. Beside a name in the ROC: the area under its curve."
    )


def reliability(predictions: PredictionSet, question: int) -> None:
    """How often what was said with some probability was true, before and after calibration."""
    known = predictions.labelled(question)
    target = predictions.y_true[known, question]
    classes = predictions.head.questions[question].classes
    figure, descriptions = go.Figure(), []
    for name, probs_by_question, colour, symbol in (
        ("before calibration", predictions.uncalibrated_probs, NEUTRAL, "circle-open"),
        ("after calibration", predictions.probs, AWAY, "circle"),
    ):
        probs = probs_by_question[question][known]
        confidence = probs[:, 1] if len(classes) == 2 else probs.max(1)
        correct = (target == 1) if len(classes) == 2 else (probs.argmax(1) == target)
        bins = curves.reliability(correct.astype(float), confidence)
        descriptions.append(f"{name}: expected calibration error {bins.ece:.3f}")
        figure.add_scatter(
            x=bins.predicted, y=bins.observed, mode="lines+markers", name=f"{name}, ECE {bins.ece:.3f}",
            line={"color": colour}, marker={"symbol": symbol, "size": 6 + 14 * np.sqrt(bins.rows / bins.rows.max())},
            text=[f"{rows} rows" for rows in bins.rows], hovertemplate="said %{x:.2f}, true %{y:.2f}, %{text}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(x=[0, 1], y=[0, 1], line={"color": NEUTRAL, "dash": "dot"}, showlegend=False, hoverinfo="skip")
    what = f"of “{classes[1].replace('_', ' ')}”" if len(classes) == 2 else "of the likeliest class"
    _axes(figure, f"Probability said {what}", "Share that was true")
    charts.draw(figure, alt="Reliability. " + "; ".join(descriptions), key="chart-reliability", height=400)
    st.caption(
        f"{_on(predictions, question)} On the dotted line a probability of 0.7 is right seven times out of ten. Larger points "
        "stand for more rows. ECE: expected calibration error."
    )


def confusion(predictions: PredictionSet, question: int) -> None:
    """A heat map: rows are what is true, columns what was answered; shares of each true class, and counts."""
    known = predictions.labelled(question)
    names = [name.replace("_", " ") for name in predictions.head.questions[question].classes]
    counts = curves.confusion(predictions.y_true[known, question], predictions.y_pred[known, question], len(names))
    fractions = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = go.Figure(
        go.Heatmap(
            z=fractions, x=[for_plotly(name) for name in names], y=[for_plotly(name) for name in names], zmin=0, zmax=1,
            colorscale=[[0, "rgba(43,129,150,0.06)"], [1, AWAY]], showscale=False,
            text=[[f"{fractions[i, j]:.0%}<br>{counts[i, j]:,}" for j in range(len(names))] for i in range(len(names))],
            texttemplate="%{text}", hoverinfo="skip",
            textfont={"color": charts.INK if st.context.theme.type == "light" else "#e9ecf1"},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", title="True", fixedrange=True, showgrid=False)
    figure.update_xaxes(title="Answered", side="bottom", fixedrange=True, showgrid=False)
    recalls = "; ".join(f"of true {name} {fractions[i, i]:.0%} answered so" for i, name in enumerate(names))
    charts.draw(figure, alt=f"Confusion matrix: {recalls}", key="chart-confusion", height=150 + 62 * len(names))
    st.table(
        [{k: f"{v:.3f}" if isinstance(v, float) else v for k, v in row.items()} for row in report(counts, names)],
        hide_index=True,
    )
    threshold_note = (
        f" Answered “{names[1]}” from a probability of {predictions.head.rules[question].threshold():.2f} on."
        if len(names) == 2
        else ""
    )
    st.caption(_on(predictions, question) + threshold_note)


def report(counts: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """The classification report: precision, recall, F1 and rows a class, then their plain mean."""
    hits, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    precision, recall = hits / np.maximum(predicted, 1), hits / np.maximum(true, 1)
    f1 = 2 * hits / np.maximum(true + predicted, 1)
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


def thresholds(predictions: PredictionSet, question: int, bands: tuple[float, float] | None = None) -> None:
    """Two thresholds with what they do on rows that were not learned from; they begin at `bands`, where the app has any."""
    classes = predictions.head.questions[question].classes
    known = predictions.labelled(question)
    names = [name.replace("_", " ") for name in classes]
    positive = 1 if len(classes) == 2 else names.index(st.selectbox("Class", names, key="threshold-class"))
    target, probs = (
        (predictions.y_true[known, question] == positive).astype(int),
        predictions.probs[question][known][:, positive],
    )
    threshold = predictions.head.rules[question].threshold() if len(classes) == 2 else float(target.mean())
    threshold = min(0.99, max(0.01, round(threshold, 2)))
    initial = (
        (max(0.0, round(threshold - 0.1, 2)), threshold) if bands is None else (round(bands[0], 2), round(bands[1], 2))
    )
    low, high = st.slider(
        f"Send to a person from … and call it “{names[positive]}” from …", 0.0, 1.0, initial, 0.01,
        key=f"threshold-{predictions.head.name}-{question}-{positive}",
    )  # fmt: skip
    metrics = curves.at_threshold(target, probs, low, high)
    shown = (
        ("Precision", metrics.precision, "Of what is answered yes, the share that is true"),
        ("Recall", metrics.recall, "Of what is true, the share that is answered yes"),
        ("Review load", metrics.review, "The share of all rows that a person would look at"),
        ("Missed", metrics.missed, "Of what is true, the share below both thresholds"),
    )
    for (title, value, meaning), column in zip(shown, st.columns(4), strict=True):
        column.metric(title, "–" if value is None else f"{value:.0%}", help=meaning)
    note = f"{_on(predictions, question)} Of these, {int(target.sum()):,} are {names[positive]}. "
    if bands is not None:
        note += f"The verdict's own thresholds are {bands[0]:.2f} for a human look and {bands[1]:.2f} for {names[positive]}."
    elif len(classes) == 2:
        note += f"The model itself answers “{names[positive]}” from {threshold:.2f} on and sends nothing to a person."
    st.caption(note)


def _on(predictions: PredictionSet, question: int) -> str:
    return f"On {int((predictions.labelled(question)).sum()):,} rows ({predictions.rows.replace('_', ' ')})."


def _axes(figure: go.Figure, x: str, y: str) -> None:
    figure.update_xaxes(title=x, range=[-0.01, 1.01], fixedrange=True)
    figure.update_yaxes(title=y, range=[-0.01, 1.02], fixedrange=True)
