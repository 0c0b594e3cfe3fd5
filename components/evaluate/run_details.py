"""What a run left beside its figures: learning curves, ablations, others' published figures; and what it did not leave."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from components.evaluate import example_memes, published
from components.evaluate.plots import COLOURS, NAMES
from components.evaluate.trained_models import INTERVAL_METRICS, SHOWN_METRICS, Measurement, TrainedModel
from components.shared import charts
from models.classifiers import multitask
from models.evaluation_files import PredictionSet, metric_cell

RECIPES = Path(__file__).parents[2] / "training" / "configs"


def compared(task: str) -> bool:
    """Whether there is a figure on this task to set beside ours."""
    return bool(published.of(task) or published.near_copies(task))


def missing(model: TrainedModel, task: str, predictions: PredictionSet | None) -> str:
    """One line about what the chosen model's files lack, each thing with what would bring it; empty where all is there."""
    lacking = []
    fit = f"`python -m training fit {model.name} --data DATA`"
    if predictions is None:
        evaluate = f"`python -m training evaluate {task} --data NAME.validation.parquet --json figures.json --save-predictions`"
        how = f"{fit if model.name in multitask.names() else evaluate} writes them"
        if task not in model.tasks and (parts := model.parts(task)):
            how = f"they stand under its parts: {', '.join(parts)}"
        lacking.append(f"predictions of this task ({how})")
    if not model.curves:
        lacking.append(f"learning curves ({fit} writes them)")
    if not model.ablations(task):
        command = f"`python -m training compare {model.name} --ablations --data DATA` writes them"
        lacking.append(f"ablations ({command if _has_ablations(model.name) else 'its recipe names none'})")
    if not published.of(task):
        lacking.append("a published system's figure (none is known here for this task)")
    if predictions is not None and not (file := example_memes.rows_file(predictions, model.data(task))).is_file():
        lacking.append(f"the rows themselves (put `{file.name}` into the folder that SUBTEXT_DATA names)")
    return f"Not here: {'; '.join(lacking)}." if lacking else ""


def _has_ablations(name: str) -> bool:
    """Whether the recipe, where it came along with the app, says what can be left out."""
    try:
        return "ablations" in tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


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


def learning(model: TrainedModel) -> None:
    """Loss and score by epoch, or by step where a run checks several times an epoch; one line a fold."""
    keys = {key for fold in model.curves for epoch in fold for key in epoch}
    groups: list[tuple[str, list[str]]] = [
        ("Loss", [name for name in ("loss", "validation_loss", "val_nll") if name in keys]),
        (
            "Score on rows not learned from",
            [n for n in ("macro_f1", "accuracy", "val_accuracy", "average_precision", "auroc") if n in keys],
        ),
    ]
    x_axis = "epoch" if "epoch" in keys else "step"
    sides = st.columns(2, gap="medium")
    for (title, names), side in zip(groups, sides, strict=True):
        figure = go.Figure()
        for number, fold in enumerate(model.curves):
            for colour, name in enumerate(names):
                points = [(epoch[x_axis], epoch[name]) for epoch in fold if name in epoch]
                figure.add_scatter(
                    x=[x for x, _ in points], y=[y for _, y in points], mode="lines+markers", name=name.replace("_", " "),
                    legendgroup=name, showlegend=not number, line={"color": COLOURS[colour], "width": 1.5}, marker={"size": 4},
                    hovertemplate=f"fold {number + 1}, {x_axis} %{{x}}: %{{y:.3f}}<extra></extra>",
                )  # fmt: skip
        with side:
            st.subheader(title, anchor=False)
            figure.update_xaxes(title=x_axis.capitalize(), fixedrange=True)
            figure.update_yaxes(fixedrange=True)
            shown = ", ".join(name.replace("_", " ") for name in names)
            charts.draw(figure, alt=f"{title} by {x_axis}: {shown}", key=f"chart-learning-{title[:5]}", height=320)
    if len(model.curves) > 1:
        st.caption(f"A line for each of the {len(model.curves)} networks of a cross-validation.")


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
