"""`python -m training evaluate TASK --data FILE --json OUT`: figures for the shipped weights, by the app's own code.

What cannot be read does not stop the run and does not vanish from it. A picture that cannot be opened counts as missing
(`unreadable_pictures`); a row of `hate` or `harm` with neither words nor picture gets the answer to nothing at all
(`without_input`); a row of `text-emotions` without words has no emotion (`without_words`); a row of `face-expressions`
without a picture has no answer, is null among the predictions and left out of the figures (`skipped`).
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from models.analysis import Caption, Harm, Meme, TextEmotions, Verdict
from models.emotions import expressions
from models.errors import BadInput, BadPicture
from models.io import captions
from models.io.images import open_picture
from models.ocr.reader import Reader
from training.datasets.base import Row
from training.datasets.parquet import read_file
from training.evaluation import pictures, predictions
from training.metrics import classification
from training.tasks import registry

BATCH = 32
Q = TypeVar("Q")
T = TypeVar("T")


@dataclass(frozen=True)
class Nothing:
    """Has the two fields of a `Meme` that scoring reads. A `Meme` refuses to be empty; a test row may be."""

    image: None = None
    caption: Caption = field(default_factory=Caption)


class Engine(Protocol):
    """What is asked of `models.analyzer.Analyzer`."""

    reader: Reader

    def score(self, memes: Sequence[Meme]) -> list[Verdict]: ...

    def harm(self, memes: Sequence[Meme]) -> list[Harm]: ...

    def text_emotions(self, texts: Sequence[str]) -> list[TextEmotions]: ...

    def threshold(self, task: str) -> float: ...


@dataclass(frozen=True)
class Asked:
    """How the rows are to be shown to the model: one half hidden, and whose words."""

    modality: str | None = None
    captions: str = "given"

    def __post_init__(self) -> None:
        if self.modality not in {None, "image", "text"}:
            raise BadInput(f"The modality is image or text, not {self.modality!r}.")
        if self.captions not in {"given", "ocr"}:
            raise BadInput(f"Captions are given or ocr, not {self.captions!r}.")


@dataclass
class Outcome:
    """`columns` have one value a row of the file, in its order; `notes` tell what was odd and how it was counted."""

    columns: dict[str, list[Any]]
    figures: dict[str, float] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    settings: dict[str, Any] = field(default_factory=dict)


def hate(rows: Sequence[Row], engine: Engine, asked: Asked) -> Outcome:
    """Verdicts by the bands; accuracy and F1 are at the classifier's own threshold on the probability."""
    notes: Counter[str] = Counter()
    verdicts = _answers(memes(rows, engine, asked, notes), engine.score, len(rows))
    columns: dict[str, list[Any]] = {
        "probability": [verdict.probability for verdict in verdicts],
        "label": [verdict.label for verdict in verdicts],
    }
    return _yes_or_no(rows, columns, engine.threshold("hate"), notes, shown=True)


def harm(rows: Sequence[Row], engine: Engine, asked: Asked) -> Outcome:
    """Harm as HarMeme's annotators judged it; without bands, so `label` is harmful or not_harmful by the threshold."""
    notes: Counter[str] = Counter()
    harms = _answers(memes(rows, engine, asked, notes), engine.harm, len(rows))
    threshold = engine.threshold("harm")
    columns: dict[str, list[Any]] = {
        "probability": [found.probability for found in harms],
        "label": ["harmful" if found.probability >= threshold else "not_harmful" for found in harms],
    }
    return _yes_or_no(rows, columns, threshold, notes, shown=False)


def text_emotions(rows: Sequence[Row], engine: Engine, asked: Asked) -> Outcome:
    """`label`: the emotions present; `probability`: of the likeliest; then a column an emotion."""
    from models.emotions.text import LABELS

    notes: Counter[str] = Counter()
    words = (meme.caption.text if meme else "" for meme in memes(rows, engine, asked, notes))
    found = _batched(words, engine.text_emotions, len(rows))
    scores = [{score.label: score for score in emotions.scores} for emotions in found]
    notes["without_words"] = sum(not emotions for emotions in scores)
    notes.pop("without_input", None)  # told by without_words
    chances = np.array([[s[label].probability if s else 0.0 for label in LABELS] for s in scores]).reshape(
        -1, len(LABELS)
    )
    present = [[label for label in LABELS if s and s[label].present] for s in scores]
    columns: dict[str, list[Any]] = {"probability": chances.max(1, initial=0).tolist(), "label": present}
    columns |= {label: chances[:, number].tolist() for number, label in enumerate(LABELS)}
    columns["target"] = [None if row.label is None else list(_names(row, LABELS)) for row in rows]
    outcome = Outcome(columns, notes=notes)
    known = [number for number, row in enumerate(rows) if row.label is not None]
    thresholds = next(([s[label].threshold for label in LABELS] for s in scores if s), None)
    if known and thresholds:
        truth = np.array([[label in columns["target"][number] for label in LABELS] for number in known])
        outcome.figures = classification.multi_label(truth, chances[known], thresholds)
    return outcome


def face_expressions(rows: Sequence[Row], classifier: expressions.ExpressionClassifier) -> Outcome:
    """The whole picture is taken for the face, as in FER-2013; `probability` is that of `label`."""
    labels, notes = expressions.LABELS, Counter[str]()
    faces = [_picture(row, notes) for row in rows]
    seen = [number for number, face in enumerate(faces) if face is not None]
    chances = classifier.probabilities([face for face in faces if face is not None])
    notes["skipped"] = len(rows) - len(seen)
    columns: dict[str, list[Any]] = {name: [None] * len(rows) for name in ("probability", "label", *labels)}
    for number, row in zip(seen, chances, strict=True):
        columns["label"][number], columns["probability"][number] = labels[row.argmax()], float(row.max())
        for label, chance in zip(labels, row, strict=True):
            columns[label][number] = float(chance)
    columns["target"] = [None if row.label is None else _names(row, labels)[0] for row in rows]
    outcome = Outcome(columns, notes=notes)
    known = [place for place, number in enumerate(seen) if rows[number].label is not None]
    if known:
        truth = [columns["target"][seen[place]] for place in known]
        outcome.figures = classification.single_label(truth, chances[known], labels)
    return outcome


TASKS: dict[str, Callable[..., Outcome]] = {
    "hate": hate,
    "harm": harm,
    "text-emotions": text_emotions,
    "face-expressions": face_expressions,
}


def memes(rows: Sequence[Row], engine: Engine, asked: Asked, notes: Counter[str]) -> Iterator[Meme | None]:
    """The rows as the app would take them, None where nothing is left; only a batch of pictures is decoded at once."""
    for row in rows:
        image = _picture(row, notes)
        if asked.modality == "image":
            caption = Caption()
        elif asked.captions == "ocr":
            caption = captions.read(image, None, engine.reader)
        else:
            caption = captions.read(image, (row.text or "")[: captions.MAX_CHARACTERS], None)
        if asked.modality == "text":
            image = None
        if image is None and not caption.text.strip():
            notes["without_input"] += 1
            yield None
        else:
            yield Meme(image, caption)


def evaluate(args: argparse.Namespace, engine: Engine | None = None) -> dict[str, Any]:
    """Reads the file, asks the model, writes `args.json` and `args.predictions`; returns what the JSON holds."""
    asked = Asked(args.modality, args.captions)
    kept = getattr(args, "save_predictions", False)
    if kept:
        predictions.check(args)  # first, since answers may take an hour
    if args.task in pictures.TASKS:
        rows = pictures.rows_of(args.task, args.data, args.limit)
        return _report(args, asked, rows, Outcome(*pictures.TASKS[args.task](rows)))
    if args.task == "emotic":
        from training.evaluation import emotic  # people with arrays beside their table

        people, answer = emotic.outcome(args.data, args.limit)
        return _report(args, asked, people, Outcome(*answer))
    if args.task not in TASKS:
        from training.evaluation import multitask  # the tasks of `training/tasks`, each answered by a trained system

        if args.task not in registry.EVALUATED:  # a recipe's name
            return _written(args, multitask.every(args, asked))
        return _report(args, asked, *multitask.outcome(args, asked))
    label = "labels" if args.task == "text-emotions" else "label"
    rows = read_file(args.data, label=label, limit=args.limit)
    if not rows:
        raise BadInput(f"{args.data} has no rows.")
    if args.task == "face-expressions":
        outcome = face_expressions(rows, expressions.ExpressionClassifier())
    else:
        outcome = TASKS[args.task](rows, engine or _analyzer("mini" if kept else args.profile), asked)
    return _report(args, asked, rows, outcome)


def _report(args: argparse.Namespace, asked: Asked, rows: Sequence[Row], outcome: Outcome) -> dict[str, Any]:
    """Writes `args.json` and `args.predictions`; returns what the JSON holds."""
    if args.predictions:
        Path(args.predictions).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(outcome.columns), args.predictions)
    if getattr(args, "save_predictions", False):
        predictions.keep(args, outcome, rows)
    return _written(args, described(args, asked, rows, outcome))


def described(args: argparse.Namespace, asked: Asked, rows: Sequence[Row], outcome: Outcome) -> dict[str, Any]:
    """What was asked of which rows, what was odd about them, and the figures."""
    return {
        "task": args.task,
        "data": Path(args.data).name,
        "modality": asked.modality,
        "captions": asked.captions,
        "rows": len(rows),
        "labelled": outcome.settings.pop("asked", sum(row.label is not None for row in rows)),
        **outcome.settings,
        **{name: count for name, count in outcome.notes.items() if count},
        "metrics": outcome.figures,
    }


def _written(args: argparse.Namespace, report: dict[str, Any]) -> dict[str, Any]:
    Path(args.json).parent.mkdir(parents=True, exist_ok=True)
    Path(args.json).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _analyzer(profile: str) -> Engine:
    from models.analyzer import Analyzer

    return Analyzer(profile)


def _yes_or_no(
    rows: Sequence[Row], columns: dict[str, list[Any]], threshold: float, notes: Counter[str], *, shown: bool
) -> Outcome:
    """The predictions with their targets, and the figures of the rows that have a label."""
    for row in rows:
        if row.label not in {None, 0, 1}:
            raise BadInput(f"The column label must hold 0 or 1, but row {row.id} has {row.label!r}.")
    outcome = Outcome(columns | {"target": [row.label for row in rows]}, notes=notes, settings={"threshold": threshold})
    known = [number for number, row in enumerate(rows) if row.label is not None]
    if known:
        outcome.figures = classification.binary(
            [int(rows[number].label) for number in known],  # type: ignore[arg-type]  # 0 or 1, as checked above
            [columns["probability"][number] for number in known],
            threshold=threshold,
            verdicts=[columns["label"][number] for number in known] if shown else None,
        )
    return outcome


def _answers(asked: Iterator[Meme | None], score: Callable[[Sequence[Meme]], list[T]], count: int) -> list[T]:
    """One answer a row; those with nothing share the answer to nothing."""
    empty: list[T] = []

    def ask(batch: Sequence[Meme | None]) -> list[T]:
        found = iter(score([meme for meme in batch if meme is not None]))
        if None in batch and not empty:
            empty.extend(score([cast(Meme, Nothing())]))
        return [empty[0] if meme is None else next(found) for meme in batch]

    return _batched(asked, ask, count)


def _batched(items: Iterator[Q], ask: Callable[[Sequence[Q]], list[T]], count: int) -> list[T]:
    """The answers to all items, BATCH at a time, with a progress bar on a terminal."""
    found: list[T] = []
    with tqdm(total=count, disable=None, unit="row") as bar:
        while batch := list(islice(items, BATCH)):
            found += ask(batch)
            bar.update(len(batch))
    return found


def _picture(row: Row, notes: Counter[str]) -> Image.Image | None:
    if row.image is None:
        return None
    try:
        return open_picture(row.image).image
    except BadPicture:
        notes["unreadable_pictures"] += 1
        return None


def _names(row: Row, labels: Sequence[str]) -> tuple[str, ...]:
    names = row.label if isinstance(row.label, tuple) else (row.label,)
    for name in names:
        if name not in labels:
            raise BadInput(f"Row {row.id} has the label {name!r}, which is none of {', '.join(labels)}.")
    return names  # type: ignore[return-value]  # all of them are in labels
