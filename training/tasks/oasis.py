"""OASIS (Kurdi et al. 2017): valence and arousal of a photograph. One that cannot be opened is counted and left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from models.emotions.affect import AffectReader
from training.datasets.base import Row
from training.datasets.oasis import OASIS
from training.metrics import regression
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult

RATINGS = ("valence", "arousal")


def predict(rows: Sequence[Row], options: EvalOptions, reader: AffectReader | None = None) -> EvalResult:
    """Valence and arousal, and the emotion named from them; null where the picture cannot be opened."""
    reader = reader or AffectReader()
    notes: Counter[str] = Counter()
    predictions: dict[str, list[Any]] = {name: [None] * len(rows) for name in (*RATINGS, "label")}
    for number, image in tqdm(inputs.images(rows, notes), total=len(rows), disable=None, unit="row"):
        [affect] = reader.read([image])
        predictions["valence"][number], predictions["arousal"][number] = affect.valence, affect.arousal
        predictions["label"][number] = affect.emotion
    y_true = {name: [_number(row.details[f"{name}_mean"]) for row in rows] for name in RATINGS}
    y_pred = {name: [_number(value) for value in predictions[name]] for name in RATINGS}
    return EvalResult(
        predictions, regression.metrics(y_true, y_pred, RATINGS), notes, {"weights": ["picture_emotions"]}
    )


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


TASKS = (
    AppTask(
        name="oasis",
        title="How pleasant and how exciting a photograph is",
        dataset=OASIS,
        columns=("valence_mean", "arousal_mean"),
        model="picture_emotions",
        predict=predict,
    ),
)
