"""The Evaluation page's tables of metrics: all models, one model, its ablations, and published results beside it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from components.evaluate import published
from components.evaluate.trained_models import INTERVAL_METRICS, SHOWN_METRICS, Measurement, TrainedModel
from models.evaluation_files import MetricValue, metric_cell
from models.io.csv_files import csv_text

NAMES = dict(zip(SHOWN_METRICS, ("Macro-F1", "Accuracy", "AUROC", "Weighted F1", "Brier", "ECE"), strict=True))
MAIN = ("macro_f1", "accuracy")  # the metrics of ablations and of the comparison with published results
ROWS = {
    "validation": "Validation rows, by what ships",
    "out of fold": "Training rows, each by the network that did not see it",
}


def rows_in_words(rows: str) -> str:
    """The name of a set of rows in words."""
    return ROWS.get(rows, rows.capitalize())


def draw_table(measurements: Sequence[Measurement]) -> None:
    """All metrics with intervals and baselines, to be sorted by a click on a column and downloaded as csv."""
    shown = []
    for item in measurements:
        macro_f1 = MetricValue.from_metrics(item.metrics, "macro_f1")
        row: dict[str, Any] = {"Model": item.title, "Task": item.task, "Measured on": item.rows.replace("_", " ")}
        row |= {"Macro-F1": None, "95% interval": macro_f1.interval() if macro_f1 else "–"}
        row["Always the commonest"] = item.metrics.get("macro_f1_majority")
        row |= {title: item.metrics.get(name) for name, title in NAMES.items()}
        shown.append(row | {"Rows": int(item.metrics["rows"])})
    columns: dict[str, Any] = {
        title: st.column_config.NumberColumn(format="%.3f") for title in (*NAMES.values(), "Always the commonest")
    }
    columns |= {name: st.column_config.Column(width=145) for name in ("Task", "Measured on")}
    columns["Model"] = st.column_config.Column(width=195, pinned=True)  # stays in sight on a phone, with room beside it
    st.dataframe(shown, column_config=columns, hide_index=True, width="stretch")
    st.download_button(
        "Download the table", as_csv(measurements), "figures.csv", "text/csv", icon=":material/download:"
    )


def as_csv(measurements: Sequence[Measurement]) -> str:
    """One line for each measurement; a metric that was not measured is left empty."""
    ends = {name: ("", "_low", "_high", "_majority") if name in INTERVAL_METRICS else ("",) for name in SHOWN_METRICS}
    metrics = [f"{name}{end}" for name in SHOWN_METRICS for end in ends[name]]
    rows = [
        (item.task, item.title, item.rows, *map(item.metrics.get, ["rows", *metrics]), item.model)
        for item in measurements
    ]
    columns = ["Task", "Model", "Measured on", "Rows", *metrics, "Folder"]
    return csv_text(columns, rows)


def figures(measurements: Sequence[Measurement]) -> None:
    """One row per set of rows: each metric with its interval, and what always answering the commonest class gives."""
    shown = []
    for line in measurements:
        row: dict[str, Any] = {"Measured on": f"{line.rows} ({int(line.metrics['rows']):,} rows)"}
        for name in SHOWN_METRICS:
            row[NAMES[name]] = metric_cell(line.metrics, name)
            if name in INTERVAL_METRICS:
                guess = line.metrics.get(f"{name}_majority")
                row[f"{NAMES[name]}, always the commonest"] = "–" if guess is None else f"{guess:.3f}"
        shown.append(row)
    if len(shown) == 1:  # transposed, since one wide row does not fit a phone
        heading = shown[0].pop("Measured on")
        shown = [{"Figure": name, heading: cell} for name, cell in shown[0].items()]
    st.table(shown)


def ablations(model: TrainedModel, task: str) -> None:
    """What leaving a part out does, beside the whole model on the same rows."""
    variants = model.ablations(task)
    rows = [
        (name, *(metric_cell(line.metrics, metric) for metric in MAIN), f"{line.rows} ({int(line.metrics['rows']):,})")
        for name, line in variants
    ]
    st.table(pd.DataFrame(rows, columns=["Variant", "Macro-F1", "Accuracy", "Rows"]), hide_index=True)
    baselines = dict.fromkeys(
        f"{line.metrics['macro_f1_majority']:.3f} on {line.rows}"
        for _, line in variants
        if "macro_f1_majority" in line.metrics
    )
    if baselines:
        st.caption(f"Macro-F1 of always the commonest: {', '.join(baselines)}. With 95% intervals.")


def draw_published(task: str, model: TrainedModel) -> None:
    """What others reported and where, our own metrics, and those of a second annotation of the same meme."""
    results, copies = published.of(task), published.near_copies(task)
    rows = [(result["system"], result["figure"], f"{result['value']:.3f}", result["source"]) for result in results]
    ours = [(f"Ours, {line.rows}", line.metrics, f"metrics.json of {model.name}") for line in model.measurements(task)]
    if copies:
        ours.append(("The label of another copy of the meme", copies, "benchmarks/near_copies.py"))
    rows += [
        (system, NAMES[name], metric_cell(metrics, name), source) for system, metrics, source in ours for name in MAIN
    ]
    st.table(pd.DataFrame(rows, columns=["System", "Figure", "Value", "Source"]), hide_index=True)
    if results:
        st.caption(published.WITH_CARE)
    if copies:
        kappa, low, high = (f"{copies[name]:.2f}".replace("-", "−") for name in ("kappa", "kappa_low", "kappa_high"))
        st.caption(
            f"The data set holds {int(copies['groups'])} memes more than once, in {int(copies['rows'])} rows, each annotated"
            f" for itself. Their labels agree beyond chance by {kappa} (Cohen's kappa, 95% interval {low} to {high}: 1 is always,"
            " 0 as often as by chance). Where copies of one meme do not agree, reading the meme cannot tell much of its label."
        )
