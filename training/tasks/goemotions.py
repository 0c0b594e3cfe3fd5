"""GoEmotions (Demszky et al. 2020): the emotions of a text. A row without text has none (`without_words`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.classifiers.heads import Head
from models.emotions.text import LABELS
from models.weights import Card
from training.datasets.base import Row
from training.datasets.published import GOEMOTIONS
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult, label_names, threshold_rule, yes_or_no

if TYPE_CHECKING:
    from models.analyzer import Analyzer


def predict(rows: Sequence[Row], options: EvalOptions, analyzer: Analyzer | None = None) -> EvalResult:
    """`label`: the emotions present; `probability`: of the likeliest; then a column for each emotion."""
    from training.metrics import classification  # loads torch

    analyzer = analyzer or inputs.load_analyzer(options.profile)
    notes: Counter[str] = Counter()
    texts = (meme.caption.text if meme else "" for meme in inputs.memes(rows, options, analyzer.reader, notes))
    emotions = inputs.batched(texts, analyzer.text_emotions, len(rows))
    scores = [{score.label: score for score in each.scores} for each in emotions]
    notes["without_words"] = sum(not score for score in scores)
    notes.pop("without_input", None)  # the same rows
    probs = np.array([[score[label].probability if score else 0.0 for label in LABELS] for score in scores])
    predictions: dict[str, list[Any]] = {
        "probability": probs.max(1).tolist(),
        "label": [[label for label in LABELS if score and score[label].present] for score in scores],
        **dict(zip(LABELS, probs.T.tolist(), strict=True)),
        "target": [None if row.label is None else list(label_names(row, LABELS)) for row in rows],
    }
    result = EvalResult(predictions, notes=notes)
    labelled = [number for number, row in enumerate(rows) if row.label is not None]
    thresholds = next(([score[label].threshold for label in LABELS] for score in scores if score), None)
    if labelled and thresholds:
        y_true = np.array([[label in predictions["target"][number] for label in LABELS] for number in labelled])
        result.metrics = classification.multi_label(y_true, probs[labelled], thresholds)
    return result


def saved_head(card: Card) -> Head:
    """A target and a threshold for each emotion."""
    labels, thresholds = list(card.setting("labels")), card.setting("thresholds")
    targets = tuple(yes_or_no(label, f"not_{label}", label) for label in labels)
    return Head("text-emotions", "multi", targets, tuple(threshold_rule(float(thresholds[label])) for label in labels))


TASKS = (
    AppTask(
        name="text-emotions",
        title="Which emotions a text carries",
        dataset=GOEMOTIONS,
        model="text_emotions",
        model_title="Emotions in words",
        options=("modality", "captions", "profile"),
        predict=predict,
        head=saved_head,
    ),
)
