"""The verdict's two tasks: `hate`, and `harm` as HarMeme's annotators judged it (Pramanick et al. 2021).

A row with neither text nor picture gets the prediction for an empty meme, counted as `without_input`. A picture that
cannot be opened counts as missing (`unreadable_pictures`).
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from models.analyzer import Analyzer
from models.classifiers.heads import Head, Target
from models.errors import BadInput
from models.weights import Card
from training.datasets.base import Row
from training.datasets.harmeme import HARMEME
from training.datasets.published import RELIGIOUS_HATEFUL
from training.metrics import classification
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult, threshold_rule
from training.tasks.languages import count_by_language, measure_by_language

CLASSES = {"hate": ("not_hateful", "hateful"), "harm": ("not_harmful", "harmful")}


def predict(task: str, rows: Sequence[Row], options: EvalOptions, analyzer: Analyzer | None = None) -> EvalResult:
    """`label` of `hate` is the verdict by the bands, that of `harm`, which has none, by the threshold on the probability.

    Accuracy and F1 of both are at the threshold. Raises `BadInput` for a label that is neither 0 nor 1.
    """
    for row in rows:
        if row.label not in {None, 0, 1}:
            raise BadInput(f"The column label must hold 0 or 1, but row {row.id} has {row.label!r}.")
    analyzer = analyzer or Analyzer(options.profile)
    threshold, notes = analyzer.threshold(task), Counter[str]()
    memes = inputs.memes(rows, options, analyzer.reader, notes)
    if task == "hate":
        verdicts = inputs.score_memes(memes, analyzer.score, len(rows))
        probs, labels = [verdict.probability for verdict in verdicts], [verdict.label for verdict in verdicts]
    else:
        probs = [harm.probability for harm in inputs.score_memes(memes, analyzer.harm, len(rows))]
        labels = [CLASSES["harm"][prob >= threshold] for prob in probs]
    predictions: dict[str, list[Any]] = {"probability": probs, "label": labels, "target": [row.label for row in rows]}
    result = EvalResult(predictions, notes=notes, settings={"threshold": threshold})
    labelled = [number for number, row in enumerate(rows) if row.label is not None]

    def measure(numbers: list[int]) -> classification.Metrics:
        y_true, y_prob, shown = (
            [column[number] for number in numbers] for column in (predictions["target"], probs, labels)
        )
        verdicts_shown = shown if task == "hate" else None
        return classification.binary(y_true, y_prob, threshold=threshold, verdicts=verdicts_shown)

    if labelled:
        result.metrics = measure_by_language(rows, labelled, measure)
        result.settings |= count_by_language(rows, labelled)
    return result


def saved_head(task: str, card: Card) -> Head:
    """Platt scaling and the threshold of the card as a rule."""
    platt, threshold = card.setting("calibration")[task], float(card.setting("thresholds")[task])
    rule = threshold_rule(threshold, float(platt["scale"]), float(platt["offset"]))
    return Head(task, "binary", (Target(task, CLASSES[task]),), (rule,))


TASKS = tuple(
    AppTask(
        name=name,
        title=title,
        dataset=dataset,
        model="hate_cross_attention",
        model_title="The verdict: hate and harm",
        options=("modality", "captions", "profile"),
        predict=partial(predict, name),
        head=partial(saved_head, name),
    )
    for name, title, dataset in (
        ("hate", "Is a meme hateful", RELIGIOUS_HATEFUL),
        ("harm", "Is a meme harmful", HARMEME),
    )
)
