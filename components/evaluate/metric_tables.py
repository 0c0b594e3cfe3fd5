"""The Evaluation page's tables of metrics: all models, one model, its ablations, and published results beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import streamlit as st

from components.evaluate import published
from components.evaluate.trained_models import INTERVAL_METRICS, SHOWN_METRICS, Measurement, TrainedModel
from models.evaluation_files import MetricValue, metric_cell

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


def rows_in_words(rows: str) -> str:
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


def table(measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """A row for each measurement; a metric that was not measured is None."""
    rows = []
    for item in measurements:
        row: dict[str, Any] = {
            "Task": item.task,
            "Model": item.title,
            "Measured on": item.rows,
            "Rows": item.metrics["rows"],
        }
        for name in SHOWN_METRICS:
            ends = ("", "_low", "_high", "_majority") if name in INTERVAL_METRICS else ("",)
            row |= {f"{name}{end}": item.metrics.get(f"{name}{end}") for end in ends}
        rows.append(row | {"Folder": item.model})
    return rows


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows with their union of columns, in the order in which they first appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names)
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def figures(measurements: Sequence[Measurement]) -> None:
    """Each figure with its interval, and what always answering the commonest class gives, a line a set of rows."""
    shown = []
    for line in measurements:
        row: dict[str, Any] = {"Measured on": f"{line.rows} ({int(line.metrics['rows']):,} rows)"}
        for name in SHOWN_METRICS:
            row[NAMES[name]] = metric_cell(line.metrics, name)
            if name in INTERVAL_METRICS:
                guess = line.metrics.get(f"{name}_majority")
                row[f"{NAMES[name]}, always the commonest"] = "–" if guess is None else f"{guess:.3f}"
        shown.append(row)
    st.table(turned(shown, "Measured on") if len(shown) == 1 else shown)


def turned(rows: Sequence[dict[str, Any]], heading: str) -> list[dict[str, str]]:
    """The table lying on its side, so that few wide rows fit a phone: `heading` names the columns."""
    names = [name for name in rows[0] if name != heading]
    return [{"Figure": name, **{str(row[heading]): str(row[name]) for row in rows}} for name in names]


def ablations(model: TrainedModel, task: str) -> None:
    """What leaving a part out does, beside the whole on the same rows."""
    variants = model.ablations(task)
    st.table(
        [
            {
                "Variant": name,
                "Macro-F1": metric_cell(line.metrics, "macro_f1"),
                "Accuracy": metric_cell(line.metrics, "accuracy"),
                "Rows": f"{line.rows} ({int(line.metrics['rows']):,})",
            }
            for name, line in variants
        ],
        hide_index=True,
    )
    baselines = dict.fromkeys(
        f"{line.metrics['macro_f1_majority']:.3f} on {line.rows}"
        for _, line in variants
        if "macro_f1_majority" in line.metrics
    )
    if baselines:
        st.caption(f"Macro-F1 of always the commonest: {', '.join(baselines)}. With 95% intervals.")


def beside(task: str, model: TrainedModel) -> None:
    """What others reported, with where, and what a second annotation of the same meme tells, beside ours."""
    results = published.of(task)
    rows = [
        {"System": result.system, "Figure": result.figure, "Value": f"{result.value:.3f}", "Source": result.source}
        for result in results
    ]
    rows += [
        {
            "System": f"Ours, {line.rows}",
            "Figure": NAMES[name],
            "Value": metric_cell(line.metrics, name),
            "Source": f"metrics.json of {model.name}",
        }
        for line in model.measurements(task)
        for name in ("macro_f1", "accuracy")
    ]
    copies = published.near_copies(task)
    if copies:
        rows += [
            {
                "System": "The label of another copy of the meme",
                "Figure": NAMES[name],
                "Value": metric_cell(copies, name),
                "Source": "benchmarks/near_copies.py",
            }
            for name in ("macro_f1", "accuracy")
        ]
    st.table(rows, hide_index=True)
    if results:
        st.caption("Others' figures are on their own test rows, ours on rows named here: compare them with care.")
    if copies:
        kappa, low, high = (f"{copies[name]:.2f}".replace("-", "−") for name in ("kappa", "kappa_low", "kappa_high"))
        st.caption(
            f"The data set holds {int(copies['groups'])} memes more than once, in {int(copies['rows'])} rows, each annotated"
            f" for itself. Their labels agree beyond chance by {kappa} (Cohen's kappa, 95% interval {low} to {high}: 1 is always,"
            " 0 as often as by chance). Where copies of one meme do not agree, reading the meme cannot tell much of its label."
        )
