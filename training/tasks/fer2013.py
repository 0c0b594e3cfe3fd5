"""FER-2013 (Goodfellow et al. 2013): the expression of a face, which is the whole picture.

A row without a picture that can be opened has no prediction: it is null and left out of the metrics (`skipped`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from models.classifiers.heads import Head, Question, Rule
from models.emotions import expressions
from models.weights import Card
from training.datasets.base import Row
from training.datasets.published import FER2013
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult, label_names


def predict(
    rows: Sequence[Row], options: EvalOptions, classifier: expressions.ExpressionClassifier | None = None
) -> EvalResult:
    """`probability` is that of `label`; then a column for each expression."""
    from training.metrics import classification  # loads torch

    classifier = classifier or expressions.ExpressionClassifier()
    labels, notes = expressions.LABELS, Counter[str]()
    faces = dict(inputs.images(rows, notes))
    del notes["without_picture"]  # part of `skipped`
    probs = classifier.probabilities(list(faces.values()))
    notes["skipped"] = len(rows) - len(faces)
    predictions: dict[str, list[Any]] = {name: [None] * len(rows) for name in ("probability", "label", *labels)}
    for number, prob in zip(faces, probs, strict=True):
        values = {"label": labels[prob.argmax()], "probability": float(prob.max())}
        for name, value in {**values, **dict(zip(labels, prob.tolist(), strict=True))}.items():
            predictions[name][number] = value
    predictions["target"] = [None if row.label is None else label_names(row, labels)[0] for row in rows]
    result = EvalResult(predictions, notes=notes)
    labelled = [index for index, number in enumerate(faces) if rows[number].label is not None]
    if labelled:
        y_true = [name for number in faces if (name := predictions["target"][number]) is not None]
        result.metrics = classification.single_label(y_true, probs[labelled], labels)
    return result


def saved_head(card: Card) -> Head:
    """One target, calibrated by the card's temperature."""
    target = Question("expression", tuple(card.setting("labels")))
    return Head("face-expressions", "single", (target,), (Rule(1 / float(card.setting("temperature"))),))


TASKS = (
    AppTask(
        name="face-expressions",
        title="Which of seven expressions a face has",
        dataset=FER2013,
        model="face_expressions",
        model_title="Expressions of faces",
        predict=predict,
        head=saved_head,
    ),
)
