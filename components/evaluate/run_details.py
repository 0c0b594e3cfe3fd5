"""What a run left beside its metrics: learning curves; and one line for what it did not leave."""

from __future__ import annotations

import tomllib
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from components.evaluate import example_memes, published
from components.evaluate.prediction_plots import COLOURS
from components.evaluate.trained_models import TrainedModel
from components.shared import charts
from models.classifiers import multitask
from models.evaluation_files import PredictionSet

RECIPES = Path(__file__).parents[2] / "training" / "configs"


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
