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


def missing(trained: TrainedModel, task: str, found: PredictionSet | None) -> str:
    """One line about what the chosen model's files lack, each thing with what would bring it; empty where all is there."""
    told = []
    again = f"`python -m training fit {trained.name} --data DATA`"
    if found is None:
        kept = f"`python -m training evaluate {task} --data NAME.validation.parquet --json figures.json --save-predictions`"
        how = f"{again if trained.name in multitask.names() else kept} writes them"
        if task not in trained.tasks and (parts := trained.parts(task)):
            how = f"they stand under its parts: {', '.join(parts)}"
        told.append(f"predictions of this task ({how})")
    if not trained.curves:
        told.append(f"learning curves ({again} writes them)")
    if not trained.ablations(task):
        command = f"`python -m training compare {trained.name} --ablations --data DATA` writes them"
        told.append(f"ablations ({command if _has_ablations(trained.name) else 'its recipe names none'})")
    if not published.of(task):
        told.append("a published system's figure (none is known here for this task)")
    if found is not None and not (file := example_memes.rows_file(found, trained.data(task))).is_file():
        told.append(f"the rows themselves (put `{file.name}` into the folder that SUBTEXT_DATA names)")
    return f"Not here: {'; '.join(told)}." if told else ""


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


def learning(trained: TrainedModel) -> None:
    """Loss and score by epoch, or by step where a run checks several times an epoch; one line a fold."""
    keys = {key for fold in trained.curves for epoch in fold for key in epoch}
    groups: list[tuple[str, list[str]]] = [
        ("Loss", [name for name in ("loss", "validation_loss", "val_nll") if name in keys]),
        (
            "Score on rows not learned from",
            [n for n in ("macro_f1", "accuracy", "val_accuracy", "average_precision", "auroc") if n in keys],
        ),
    ]
    along = "epoch" if "epoch" in keys else "step"
    sides = st.columns(2, gap="medium")
    for (title, names), side in zip(groups, sides, strict=True):
        figure = go.Figure()
        for number, fold in enumerate(trained.curves):
            for at, name in enumerate(names):
                points = [(epoch[along], epoch[name]) for epoch in fold if name in epoch]
                figure.add_scatter(
                    x=[x for x, _ in points], y=[y for _, y in points], mode="lines+markers", name=name.replace("_", " "),
                    legendgroup=name, showlegend=not number, line={"color": COLOURS[at], "width": 1.5}, marker={"size": 4},
                    hovertemplate=f"fold {number + 1}, {along} %{{x}}: %{{y:.3f}}<extra></extra>",
                )  # fmt: skip
        with side:
            st.subheader(title, anchor=False)
            figure.update_xaxes(title=along.capitalize(), fixedrange=True)
            figure.update_yaxes(fixedrange=True)
            told = ", ".join(name.replace("_", " ") for name in names)
            charts.draw(figure, alt=f"{title} by {along}: {told}", key=f"chart-learning-{title[:5]}", height=320)
    if len(trained.curves) > 1:
        st.caption(f"A line for each of the {len(trained.curves)} networks of a cross-validation.")


def ablations(trained: TrainedModel, task: str) -> None:
    """What leaving a part out does, beside the whole on the same rows."""
    held = trained.ablations(task)
    st.table(
        [
            {
                "Variant": name,
                "Macro-F1": metric_cell(line.metrics, "macro_f1"),
                "Accuracy": metric_cell(line.metrics, "accuracy"),
                "Rows": f"{line.rows} ({int(line.metrics['rows']):,})",
            }
            for name, line in held
        ],
        hide_index=True,
    )
    guesses = dict.fromkeys(
        f"{line.metrics['macro_f1_majority']:.3f} on {line.rows}"
        for _, line in held
        if "macro_f1_majority" in line.metrics
    )
    if guesses:
        st.caption(f"Macro-F1 of always the commonest: {', '.join(guesses)}. With 95% intervals.")


def beside(task: str, trained: TrainedModel) -> None:
    """What others reported, with where, and what a second annotation of the same meme tells, beside ours."""
    others = published.of(task)
    rows = [
        {"System": one.system, "Figure": one.figure, "Value": f"{one.value:.3f}", "Source": one.source}
        for one in others
    ]
    rows += [
        {
            "System": f"Ours, {line.rows}",
            "Figure": NAMES[name],
            "Value": metric_cell(line.metrics, name),
            "Source": f"metrics.json of {trained.name}",
        }
        for line in trained.measurements(task)
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
    if others:
        st.caption("Others' figures are on their own test rows, ours on rows named here: compare them with care.")
    if copies:
        kappa, low, high = (f"{copies[name]:.2f}".replace("-", "−") for name in ("kappa", "kappa_low", "kappa_high"))
        st.caption(
            f"The data set holds {int(copies['groups'])} memes more than once, in {int(copies['rows'])} rows, each annotated"
            f" for itself. Their labels agree beyond chance by {kappa} (Cohen's kappa, 95% interval {low} to {high}: 1 is always,"
            " 0 as often as by chance). Where copies of one meme do not agree, reading the meme cannot tell much of its label."
        )
