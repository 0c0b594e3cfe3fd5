"""Emotions: of a text, of a face, of a photograph, and of the people in it.

- GoEmotions (Demszky et al. 2020): a row without text has no emotions (`without_words`).
- FER-2013 (Goodfellow et al. 2013): the expression of a face, which is the whole picture. A row without a picture that can
  be opened has no prediction: it is null and left out of the metrics (`skipped`).
- OASIS (Kurdi et al. 2017): valence and arousal of a photograph. One that cannot be opened is counted and left out.
- EMOTIC (Kosti et al. 2017): emotion categories and ratings of people in photographs. The file is a split's table as
  `convert-emotic` wrote it (test.csv), with its arrays beside it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.analyzer import Analyzer
from models.classifiers.heads import Head, Rule, Target
from models.emotions import expressions
from models.emotions.affect import AffectReader
from models.emotions.people import CONTINUOUS, PeopleReader
from models.emotions.text import LABELS
from models.errors import BadInput
from models.weights import Card
from training.datasets import emotic as emotic_files
from training.datasets.base import Dataset, LoadResult, Row
from training.datasets.emotic import CATEGORIES
from training.datasets.oasis import OASIS
from training.datasets.published import FER2013, GOEMOTIONS
from training.emotic.metrics import category_metrics, rating_metrics
from training.metrics import classification, regression
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult, label_names, threshold_rule
from training.tasks.languages import count_by_language, measure_by_language

BATCH_SIZE = 64
RATINGS = ("valence", "arousal")


def predict_text(rows: Sequence[Row], options: EvalOptions, analyzer: Analyzer | None = None) -> EvalResult:
    """`label`: the emotions present; `probability`: of the likeliest; then a column for each emotion."""
    analyzer = analyzer or Analyzer(options.profile)
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

        def measure(numbers: list[int]) -> classification.Metrics:
            y_true = np.array([[label in predictions["target"][number] for label in LABELS] for number in numbers])
            return classification.multi_label(y_true, probs[numbers], thresholds)

        result.metrics = measure_by_language(rows, labelled, measure)
        result.settings |= count_by_language(rows, labelled)
    return result


def text_head(card: Card) -> Head:
    """A target and a threshold for each emotion."""
    labels, thresholds = list(card.setting("labels")), card.setting("thresholds")
    targets = tuple(Target(label, (f"not_{label}", label)) for label in labels)
    return Head("text-emotions", "multi", targets, tuple(threshold_rule(float(thresholds[label])) for label in labels))


def predict_face(
    rows: Sequence[Row], options: EvalOptions, classifier: expressions.ExpressionClassifier | None = None
) -> EvalResult:
    """`probability` is that of `label`; then a column for each expression."""
    classifier = classifier or expressions.ExpressionClassifier()
    labels, notes = expressions.LABELS, Counter[str]()
    faces = dict(inputs.images(rows, notes))
    del notes["without_picture"]  # part of `skipped`
    notes["skipped"] = len(rows) - len(faces)
    probs = classifier.probabilities(list(faces.values()))
    predictions: dict[str, list[Any]] = {name: [None] * len(rows) for name in ("probability", "label", *labels)}
    for number, prob in zip(faces, probs, strict=True):
        best = {"probability": float(prob.max()), "label": labels[prob.argmax()]}
        for name, value in {**best, **dict(zip(labels, prob.tolist(), strict=True))}.items():
            predictions[name][number] = value
    predictions["target"] = [None if row.label is None else label_names(row, labels)[0] for row in rows]
    result = EvalResult(predictions, notes=notes)
    y_true = [predictions["target"][number] for number in faces]
    labelled = [index for index, name in enumerate(y_true) if name is not None]
    if labelled:
        result.metrics = classification.single_label([y_true[index] for index in labelled], probs[labelled], labels)
    return result


def face_head(card: Card) -> Head:
    """One target, calibrated by the card's temperature."""
    target = Target("expression", tuple(card.setting("labels")))
    return Head("face-expressions", "single", (target,), (Rule(1 / float(card.setting("temperature"))),))


def predict_affect(rows: Sequence[Row], options: EvalOptions, reader: AffectReader | None = None) -> EvalResult:
    """Valence and arousal, and the emotion named from them; null where the picture cannot be opened."""
    reader = reader or AffectReader()
    notes: Counter[str] = Counter()
    predictions: dict[str, list[Any]] = {name: [None] * len(rows) for name in (*RATINGS, "label")}
    for number, image in tqdm(inputs.images(rows, notes), total=len(rows), disable=None, unit="row"):
        [affect] = reader.read([image])
        predictions["valence"][number], predictions["arousal"][number] = affect.valence, affect.arousal
        predictions["label"][number] = affect.emotion
    y_true = {name: np.array([row.details[f"{name}_mean"] for row in rows], float) for name in RATINGS}
    y_pred = {name: np.array(predictions[name], float) for name in RATINGS}  # None becomes NaN
    return EvalResult(
        predictions, regression.metrics(y_true, y_pred, RATINGS), notes, {"weights": ["picture_emotions"]}
    )


def read_people(path: Path, limit: int | None = None) -> LoadResult:
    """A row for each person, with the arrays of that person in `details`; `BadInput` where files are missing."""
    if path.is_dir() or path.suffix != ".csv":
        raise BadInput(
            f"For emotic, --data is a table that convert-emotic wrote, such as FOLDER/test.csv; {path} is none."
        )
    people = emotic_files.read_people(path.parent, path.stem, limit)
    rows = []
    for number, categories in enumerate(people.categories):
        names = tuple(name for name, true in zip(CATEGORIES, categories, strict=True) if true)
        arrays = ("context", "body", "categories", "continuous", "pictures")
        details = {name: getattr(people, name)[number] for name in arrays}
        rows.append(Row("emotic", f"{path.stem}-{number}", label=names, details=details))
    return rows, []


def predict_people(rows: Sequence[Row], options: EvalOptions, reader: PeopleReader | None = None) -> EvalResult:
    """Ratings, probabilities of all categories, and `label`, the likeliest one."""
    reader = reader or PeopleReader()

    def read(batch: Sequence[Row]) -> list[Any]:
        sides = ([Image.fromarray(np.asarray(row.details[side])) for row in batch] for side in ("context", "body"))
        return reader.read(*sides)

    answers = inputs.batched(iter(rows), read, len(rows), BATCH_SIZE)
    order = [reader.labels.index(name) for name in CATEGORIES]
    probs = np.array([[answer.probabilities[index] for index in order] for answer in answers])
    ratings = np.array([[getattr(answer, name) for name in CONTINUOUS] for answer in answers])
    y_true = {name: np.array([row.details[name] for row in rows]) for name in ("categories", "continuous", "pictures")}
    predictions: dict[str, list[Any]] = {
        **dict(zip(CONTINUOUS, ratings.T.tolist(), strict=True)),
        **dict(zip(CATEGORIES, probs.T.tolist(), strict=True)),
        "label": [CATEGORIES[int(prob.argmax())] for prob in probs],
        "target": [list(row.label) for row in rows],  # type: ignore[arg-type]  # a tuple of names
    }
    values = category_metrics(y_true["categories"], probs, y_true["pictures"])
    values |= rating_metrics(y_true["continuous"], ratings)
    notes = Counter({"without_categories": sum(not row.label for row in rows)})
    return EvalResult(predictions, values, notes, {"weights": [reader.card.name]})


TASKS = (
    AppTask(
        name="text-emotions",
        title="Which emotions a text carries",
        dataset=GOEMOTIONS,
        model="text_emotions",
        model_title="Emotions in words",
        options=("modality", "captions", "profile"),
        predict=predict_text,
        head=text_head,
    ),
    AppTask(
        name="face-expressions",
        title="Which of seven expressions a face has",
        dataset=FER2013,
        model="face_expressions",
        model_title="Expressions of faces",
        predict=predict_face,
        head=face_head,
    ),
    AppTask(
        name="oasis",
        title="How pleasant and how exciting a photograph is",
        dataset=OASIS,
        columns=("valence_mean", "arousal_mean"),
        model="picture_emotions",
        predict=predict_affect,
    ),
    AppTask(
        name="emotic",
        title="What people in a photograph feel",
        dataset=Dataset("emotic"),
        model="joint_emotic",
        predict=predict_people,
        read_rows=read_people,
    ),
)
