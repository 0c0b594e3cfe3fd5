"""The Evaluation page's plots of predictions: curves, reliability, confusion, thresholds."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.evaluate import curves
from components.shared import charts
from components.shared.escaping import for_plotly
from components.shared.palette import AWAY, BETWEEN, NEUTRAL, TOWARD
from models.evaluation_files import PredictionSet

COLOURS = (AWAY, TOWARD, BETWEEN, NEUTRAL, "#7b5ea7", "#4f8f4f", "#b05d2c", "#5b7db1")


def roc_and_precision_recall(predictions: PredictionSet, question: int) -> None:
    """The ROC curve and precision against recall for each class against the rest; of yes and no, for yes alone."""
    names, target, probs = _labelled(predictions, question)
    roc, pr, descriptions = go.Figure(), go.Figure(), []
    for number in [1] if len(names) == 2 else range(len(names)):
        y_true = (target == number).astype(int)
        if y_true.min() == y_true.max():
            continue
        fpr, tpr = curves.roc(y_true, probs[:, number])
        recall, precision = curves.precision_recall(y_true, probs[:, number])
        area, positives = np.trapezoid(tpr, fpr), y_true.mean()
        descriptions.append(f"{names[number]}: area {area:.3f}, share {positives:.2f}")
        label, colour = for_plotly(names[number]), COLOURS[number % len(COLOURS)]
        line = {"color": colour, "width": 2}
        roc.add_scatter(x=fpr, y=tpr, name=f"{label}, {area:.2f}", line=line)
        pr.add_scatter(x=recall, y=precision, name=label, line=line)
        _dotted(pr, [positives] * 2, colour, width=1)
    _dotted(roc, [0, 1])
    drawn = (
        (roc, "ROC", "ROC curves", "chart-roc", ("False positive rate", "True positive rate")),
        (pr, "Precision and recall", "Precision against recall", "chart-pr", ("Recall", "Precision")),
    )
    for side, (figure, title, alt, key, axes) in zip(st.columns(2, gap="medium"), drawn, strict=True):
        with side:
            st.subheader(title, anchor=False)
            _axes(figure, *axes)
            charts.draw(figure, alt=f"{alt}. {'; '.join(descriptions)}", key=key, height=360)
    st.caption(
        f"{_on(predictions, question)} Dotted lines: guessing. Beside a name in the ROC: the area under its curve."
    )


def reliability(predictions: PredictionSet, question: int) -> None:
    """The share that was true at each predicted probability, before and after calibration."""
    names, target, calibrated = _labelled(predictions, question)
    uncalibrated = predictions.uncalibrated_probs[question][predictions.labelled(question)]
    figure, descriptions = go.Figure(), []
    for name, probs, colour, symbol in (
        ("before calibration", uncalibrated, NEUTRAL, "circle-open"),
        ("after calibration", calibrated, AWAY, "circle"),
    ):
        confidence, correct = (
            (probs[:, 1], target == 1) if len(names) == 2 else (probs.max(1), probs.argmax(1) == target)
        )
        bins = curves.reliability(correct.astype(float), confidence)
        descriptions.append(f"{name}: expected calibration error {bins.ece:.3f}")
        figure.add_scatter(
            x=bins.predicted, y=bins.observed, mode="lines+markers", name=f"{name}, ECE {bins.ece:.3f}",
            line={"color": colour}, marker={"symbol": symbol, "size": 6 + 14 * np.sqrt(bins.rows / bins.rows.max())},
            text=[f"{rows} rows" for rows in bins.rows], hovertemplate="said %{x:.2f}, true %{y:.2f}, %{text}<extra></extra>",
        )  # fmt: skip
    _dotted(figure, [0, 1])
    what = f"of “{names[1]}”" if len(names) == 2 else "of the likeliest class"
    _axes(figure, f"Probability said {what}", "Share that was true")
    charts.draw(figure, alt="Reliability. " + "; ".join(descriptions), key="chart-reliability", height=400)
    st.caption(
        f"{_on(predictions, question)} On the dotted line a probability of 0.7 is right seven times out of ten. Larger points "
        "stand for more rows. ECE: expected calibration error."
    )


def confusion(predictions: PredictionSet, question: int) -> None:
    """The confusion matrix, with shares of each true class and counts, then precision, recall and F1 of each class."""
    names, target, _ = _labelled(predictions, question)
    counts = curves.confusion(target, predictions.y_pred[predictions.labelled(question), question], len(names))
    true, predicted, hits = counts.sum(1), counts.sum(0), np.diag(counts)
    fractions = counts / np.maximum(true[:, None], 1)
    labels = [for_plotly(name) for name in names]
    figure = charts.heat_map(
        fractions,
        [f"{fraction:.0%}<br>{count:,}" for fraction, count in zip(fractions.flat, counts.flat, strict=True)],
        x=labels,
        y=labels,
        colorscale=[[0, "rgba(43,129,150,0.06)"], [1, AWAY]],
        hoverinfo="skip",
        textfont={"color": charts.INK if st.context.theme.type == "light" else "#e9ecf1"},
    )
    figure.update_yaxes(title="True", showgrid=False)
    figure.update_xaxes(title="Answered", side="bottom", showgrid=False)
    recalls = "; ".join(f"of true {name} {fractions[i, i]:.0%} answered so" for i, name in enumerate(names))
    charts.draw(figure, alt=f"Confusion matrix: {recalls}", key="chart-confusion", height=150 + 62 * len(names))
    metrics = {
        "Precision": hits / np.maximum(predicted, 1),
        "Recall": hits / np.maximum(true, 1),
        "F1": 2 * hits / np.maximum(true + predicted, 1),
    }
    report = {"Class": [*names, "mean"]}
    report |= {name: [f"{value:.3f}" for value in (*values, values.mean())] for name, values in metrics.items()}
    st.table(report | {"Rows": [*true.tolist(), int(true.sum())]}, hide_index=True)
    note = _on(predictions, question)
    if len(names) == 2:
        note += f" Answered “{names[1]}” from a probability of {predictions.head.rules[question].threshold():.2f} on."
    st.caption(note)


def thresholds(predictions: PredictionSet, question: int, bands: tuple[float, float] | None) -> None:
    """Two thresholds on a slider and what they do on these rows. They start at `bands`, the verdict's own thresholds, if any."""
    names, labels, all_probs = _labelled(predictions, question)
    binary = len(names) == 2
    positive = 1 if binary else names.index(st.selectbox("Class", names, key="threshold-class"))
    target, probs = (labels == positive).astype(int), all_probs[:, positive]
    threshold = predictions.head.rules[question].threshold() if binary else float(target.mean())
    threshold = min(0.99, max(0.01, round(threshold, 2)))
    first, second = bands or (max(0.0, threshold - 0.1), threshold)
    initial = (round(first, 2), round(second, 2))
    low, high = st.slider(
        f"Send to a person from … and call it “{names[positive]}” from …", 0.0, 1.0, initial, 0.01,
        key=f"threshold-{predictions.head.name}-{question}-{positive}",
    )  # fmt: skip
    metrics = curves.at_threshold(target, probs, low, high)
    shown = (
        ("Precision", "precision", "Of what is answered yes, the share that is true"),
        ("Recall", "recall", "Of what is true, the share that is answered yes"),
        ("Review load", "review", "The share of all rows that a person would look at"),
        ("Missed", "missed", "Of what is true, the share below both thresholds"),
    )
    for (title, name, meaning), column in zip(shown, st.columns(4), strict=True):
        value = metrics[name]
        column.metric(title, "–" if value is None else f"{value:.0%}", help=meaning)
    note = f"{_on(predictions, question)} Of these, {int(target.sum()):,} are {names[positive]}. "
    if bands is not None:
        note += f"The verdict's own thresholds are {bands[0]:.2f} for a human look and {bands[1]:.2f} for {names[positive]}."
    elif binary:
        note += f"The model itself answers “{names[positive]}” from {threshold:.2f} on and sends nothing to a person."
    st.caption(note)


def _labelled(predictions: PredictionSet, question: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names of the classes in words; true classes [rows] and calibrated probabilities [rows, classes] of labelled rows."""
    known = predictions.labelled(question)
    names = [name.replace("_", " ") for name in predictions.head.targets[question].classes]
    return names, predictions.y_true[known, question], predictions.probs[question][known]


def _on(predictions: PredictionSet, question: int) -> str:
    """Which rows these are, as a sentence."""
    return f"On {predictions.labelled(question).sum():,} rows ({predictions.rows.replace('_', ' ')})."


def _axes(figure: go.Figure, x: str, y: str) -> None:
    figure.update_xaxes(title=x, range=[-0.01, 1.01])
    figure.update_yaxes(title=y, range=[-0.01, 1.02])


def _dotted(figure: go.Figure, y: list[float], colour: str = NEUTRAL, width: int | None = None) -> None:
    """A dotted line from x = 0 to x = 1: what guessing gives, or what is expected."""
    line = {"color": colour, "width": width, "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=y, line=line, showlegend=False, hoverinfo="skip")
