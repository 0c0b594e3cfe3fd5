"""What a run wrote beside its metrics: learning curves, predictions of memes, and one line for what it did not write.

The memes are drawn where the data set is on this machine: its rows are not in the repository. `rows_file` says where they
belong.
"""

import os
import tomllib
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from components.evaluate import published
from components.evaluate.prediction_plots import COLOURS
from components.evaluate.trained_models import TrainedModel
from components.shared import charts, failures, pictures
from components.shared.escaping import for_markdown, shorten
from models.classifiers import multitask
from models.evaluation_files import PredictionSet
from models.io.images import open_picture

LEARNING = {
    "Loss": ("loss", "validation_loss", "val_nll"),
    "Score on rows not learned from": ("macro_f1", "accuracy", "val_accuracy", "average_precision", "auroc"),
}
PAGE_SIZE = 9
SPLITS = ("train", "validation")
CONFIGS = Path(__file__).parents[2] / "training" / "configs"


def missing(model: TrainedModel, task: str, predictions: PredictionSet | None) -> str:
    """One line about what the model's files lack, each item with the command that writes it; empty where nothing is missing."""
    lacking = []
    fit = f"`python -m training fit {model.name} --data DATA`"
    if predictions is None:
        evaluate = f"`python -m training evaluate {task} --data NAME.validation.parquet --json figures.json --save-predictions`"
        how = f"{fit if model.name in multitask.names() else evaluate} writes them"
        if task not in model.heads and (parts := model.parts(task)):
            how = f"they stand under its parts: {', '.join(parts)}"
        lacking.append(f"predictions of this task ({how})")
    if not model.curves:
        lacking.append(f"learning curves ({fit} writes them)")
    if not model.ablations(task):
        command = f"`python -m training compare {model.name} --ablations --data DATA` writes them"
        lacking.append(f"ablations ({command if _has_ablations(model.name) else 'its configuration names none'})")
    if not published.of(task):
        lacking.append("a published system's figure (none is known here for this task)")
    if predictions is not None and not (file := rows_file(predictions, model.data(task))).is_file():
        lacking.append(f"the rows themselves (put `{file.name}` into the folder that SUBTEXT_DATA names)")
    return f"Not here: {'; '.join(lacking)}." if lacking else ""


def _has_ablations(name: str) -> bool:
    """Whether the model's configuration lists ablations; False where `training/` is not installed beside the app."""
    try:
        return "ablations" in tomllib.loads((CONFIGS / f"{name}.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def learning(model: TrainedModel) -> None:
    """Loss and score by epoch, or by step where a run validates several times per epoch; one curve per fold."""
    keys = {key for fold in model.curves for epoch in fold for key in epoch}
    x_axis = "epoch" if "epoch" in keys else "step"
    for (title, metrics), side in zip(LEARNING.items(), st.columns(2, gap="medium"), strict=True):
        names = [name for name in metrics if name in keys]
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
            figure.update_xaxes(title=x_axis.capitalize())
            shown = ", ".join(name.replace("_", " ") for name in names)
            charts.draw(figure, alt=f"{title} by {x_axis}: {shown}", key=f"chart-learning-{title[:5]}", height=320)
    if len(model.curves) > 1:
        st.caption(f"A line for each of the {len(model.curves)} networks of a cross-validation.")


def rows_file(predictions: PredictionSet, data: str) -> Path:
    """The Parquet file with the rows of the predictions; it may be missing."""
    split = SPLITS[int(predictions.split[0])] if len(predictions.split) else SPLITS[0]
    return Path(os.environ.get("SUBTEXT_DATA") or "data") / f"{data}.{split}.parquet"


def memes(predictions: PredictionSet, question: int, data: str) -> None:
    """A page of memes with their predicted and true classes. The file of their rows must exist."""
    file = rows_file(predictions, data)
    classes = [name.replace("_", " ") for name in predictions.head.targets[question].classes]
    labelled = np.flatnonzero(predictions.labelled(question) & (predictions.row >= 0))
    correct = predictions.y_true[labelled, question] == predictions.y_pred[labelled, question]
    choice = st.segmented_control("Show", ["All", "Right", "Wrong"], default="All", key="gallery-want") or "All"
    matching = labelled if choice == "All" else labelled[correct == (choice == "Right")]
    if not len(matching):
        st.info("There are none of these.", icon=":material/info:")
        return
    pages = -(-len(matching) // PAGE_SIZE)
    page = int(st.number_input(f"Page of {pages:,}", 1, pages, 1, key="gallery-page")) if pages > 1 else 1
    shown = matching[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    rows = _rows(str(file), tuple(int(predictions.row[index]) for index in shown))
    columns = st.columns(3, gap="medium")
    for position, (index, (image, text)) in enumerate(zip(shown, rows, strict=True)):
        with columns[position % 3], st.container(border=True):
            true, predicted = classes[predictions.y_true[index, question]], classes[predictions.y_pred[index, question]]
            mark = ":green[:material/check:]" if true == predicted else ":red[:material/close:]"
            st.markdown(f"{mark} **{for_markdown(predicted)}**, true: {for_markdown(true)}")
            with failures.contained():
                if image:
                    picture = open_picture(image).image
                    pictures.show(
                        picture, key=f"row-{index}", place="gallery", alt="A meme of the data set", height=200
                    )
            if text:
                st.caption(for_markdown(shorten(text, 160)))


@st.cache_data(max_entries=20, show_spinner=False)
def _rows(file: str, row_numbers: tuple[int, ...]) -> list[tuple[bytes | None, str | None]]:
    """Picture and words of these rows of a Parquet file, None where it lacks the column; no other column is read."""
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file)
    names = [name for name in ("image", "text") if name in parquet.schema_arrow.names]
    rows = parquet.read(names).take(list(row_numbers)).to_pylist()
    return [(row.get("image"), row.get("text")) for row in rows]
