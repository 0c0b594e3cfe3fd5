"""The verdict's two tasks: `hate`, and `harm` as HarMeme's annotators judged it (Pramanick et al. 2021).

A row with neither text nor picture gets the prediction for an empty meme, counted as `without_input`. A picture that
cannot be opened counts as missing (`unreadable_pictures`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from models.classifiers.heads import Head, Question
from models.errors import BadInput
from models.weights import Card
from training.datasets.base import Row
from training.datasets.harmeme import HARMEME
from training.datasets.published import RELIGIOUS_HATEFUL
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult, threshold_rule

if TYPE_CHECKING:
    from models.analyzer import Analyzer

CLASSES = {"hate": ("not_hateful", "hateful"), "harm": ("not_harmful", "harmful")}


def predict_hate(rows: Sequence[Row], options: EvalOptions, analyzer: Analyzer | None = None) -> EvalResult:
    """Verdicts by the bands; accuracy and F1 are at the classifier's own threshold on the probability."""
    analyzer = analyzer or inputs.load_analyzer(options.profile)
    notes: Counter[str] = Counter()
    verdicts = inputs.score_memes(inputs.memes(rows, options, analyzer.reader, notes), analyzer.score, len(rows))
    predictions: dict[str, list[Any]] = {
        "probability": [verdict.probability for verdict in verdicts],
        "label": [verdict.label for verdict in verdicts],
    }
    return _measure(rows, predictions, analyzer.threshold("hate"), notes, predictions["label"])


def predict_harm(rows: Sequence[Row], options: EvalOptions, analyzer: Analyzer | None = None) -> EvalResult:
    """Without bands, so `label` is harmful or not_harmful by the threshold."""
    analyzer = analyzer or inputs.load_analyzer(options.profile)
    notes: Counter[str] = Counter()
    harms = inputs.score_memes(inputs.memes(rows, options, analyzer.reader, notes), analyzer.harm, len(rows))
    threshold = analyzer.threshold("harm")
    predictions: dict[str, list[Any]] = {
        "probability": [harm.probability for harm in harms],
        "label": [CLASSES["harm"][harm.probability >= threshold] for harm in harms],
    }
    return _measure(rows, predictions, threshold, notes)


def _measure(
    rows: Sequence[Row],
    predictions: dict[str, list[Any]],
    threshold: float,
    notes: Counter[str],
    verdicts: Sequence[str] | None = None,
) -> EvalResult:
    """The predictions with their targets, and the metrics of the rows that have a label."""
    from training.metrics import classification  # loads torch

    for row in rows:
        if row.label not in {None, 0, 1}:
            raise BadInput(f"The column label must hold 0 or 1, but row {row.id} has {row.label!r}.")
    result = EvalResult(
        predictions | {"target": [row.label for row in rows]}, notes=notes, settings={"threshold": threshold}
    )
    labelled = [number for number, row in enumerate(rows) if row.label is not None]
    if labelled:
        result.metrics = classification.binary(
            [int(rows[number].label) for number in labelled],  # type: ignore[arg-type]  # 0 or 1, as checked above
            [predictions["probability"][number] for number in labelled],
            threshold=threshold,
            verdicts=[verdicts[number] for number in labelled] if verdicts else None,
        )
    return result


def saved_head(task: str, card: Card) -> Head:
    """Platt scaling and the threshold of the card as a rule."""
    platt, threshold = card.setting("calibration")[task], float(card.setting("thresholds")[task])
    rule = threshold_rule(threshold, float(platt["scale"]), float(platt["offset"]))
    return Head(task, "binary", (Question(task, CLASSES[task]),), (rule,))


verdict_task = partial(
    AppTask,
    model="hate_cross_attention",
    model_title="The verdict: hate and harm",
    options=("modality", "captions", "profile"),
)
TASKS = (
    verdict_task(
        name="hate",
        title="Is a meme hateful",
        dataset=RELIGIOUS_HATEFUL,
        predict=predict_hate,
        head=partial(saved_head, "hate"),
    ),
    verdict_task(
        name="harm", title="Is a meme harmful", dataset=HARMEME, predict=predict_harm, head=partial(saved_head, "harm")
    ),
)
