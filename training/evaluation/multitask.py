"""`python -m training evaluate TASK` for the tasks that trained systems answer.

The file is Parquet, or one as the data set's owners give it out, with its pictures beside it (`official_file` of
its `Dataset`). Of such a file, rows that are not whole are told and counted as `rows_not_whole`, and predictions begin
with the column `id`, since some rows may be left out.

Rows that a system learned from are answered by the network of the fold that did not see them, and counted as
`out_of_fold`: on the training file itself, `evaluate` is a cross-validation by group. Their decisions are those that `fit`
kept, by rules from the other folds, so that the figures are the card's; where they are shown in half, or with words that
are read anew, rules from all rows decide, which flatters a little. Where a system has one network, rows are counted as
`learned_from`, and its figures on them mean little.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from tqdm import tqdm

from models import evaluation_files, weights
from models.classifiers.heads import Head, columns
from models.classifiers.multitask import BATCH_SIZE, MultitaskModel
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, BadPicture
from models.evaluation_files import UNKNOWN
from models.io import captions
from models.io.images import open_picture
from models.ocr.rapid import RapidReader
from models.ocr.reader import Reader
from training.datasets import registry as datasets
from training.datasets.base import Row
from training.datasets.memotion import ASPECTS
from training.datasets.parquet import require_columns, require_file
from training.metrics import classification
from training.multitask import config
from training.tasks import registry
from training.tasks.base import Task

if TYPE_CHECKING:
    from training.evaluation.run import Asked, Outcome


UNSEEN, LEARNED = -1, -2
TOLD = 5  # sentences about rows; the rest is counted
OWNERS = (".json", ".jsonl", ".csv")  # endings of files in the layout of a data set's owners
OF_HUBS = ("hf:", "open_clip:")  # towers that the app cannot run
RUNS = Path("runs")


NEEDED = {
    "memotion-sentiment": ("overall_sentiment",), "memotion-polarity": ("overall_sentiment",),
    "memotion-types": ASPECTS[:4], "memotion-intensity": ASPECTS[:4],
    "stress": ("stress",), "stress-domain": ("domain",), "target": ("target",), "axiom": ("label",), "restore": ("label",),
}  # fmt: skip


def outcome(args: argparse.Namespace, asked: Asked, system: MultitaskModel | None = None) -> tuple[list[Row], Outcome]:
    """The rows of the file, and what `system`, the one named or else the task's best makes of them."""
    wanted = registry.parts(args.task)
    rows, problems = _rows(args, wanted[0])
    if not rows:
        raise BadInput(f"{args.data} has no rows{f' that can be used. {problems[0]}' if problems else '.'}")
    if system is None:
        system = _load(getattr(args, "model", None) or registry.BEST[args.task])
    if Path(args.data).suffix not in OWNERS:
        _require_sides(args.data, system, asked)
    _tell(problems, "rows that are not whole")
    made = answer(system, wanted, rows, asked)
    made.notes["rows_not_whole"] = len(problems)
    if Path(args.data).suffix in OWNERS:
        made.columns = {"id": [row.id for row in rows], **made.columns}
    return rows, made


def _load(name: str) -> MultitaskModel:
    """From `weights/`; `BadInput` for a system that is not there and that no checkout would bring."""
    if not (weights.root() / name).is_dir():
        recipe, run = config.read(name), RUNS / name
        lacking = f"weights/ has no {name}, which answers {' and '.join(recipe.tasks)}"
        measured = evaluation_files.read_evaluation(run).get("measured_with", {}).values()
        towers = [one for one in measured if one.startswith(OF_HUBS)]
        if towers and (run / evaluation_files.METRICS).is_file():
            raise BadInput(
                f"{lacking}: it was trained with {' and '.join(towers)}, which the app cannot run, and its figures are in "
                f"{run / evaluation_files.METRICS}."
            )
        if datasets.get(recipe.data).on_request:
            raise BadInput(
                f"{lacking}: the owners of its rows give them out on request; train it on them with `python -m training fit "
                f"{name} --data DATA`."
            )
    return MultitaskModel.load(name, MiniEncoder())


def every(args: argparse.Namespace, asked: Asked) -> dict[str, Any]:
    """For a recipe's name in the place of a task: reports on all tasks of that system whose columns the file has."""
    from training.evaluation import run as evaluate

    found: dict[str, Any] = {}
    problems: list[BadInput] = []
    system = _load(args.task)
    known = set(system.tasks)
    names = [name for name in registry.EVALUATED if {task.name for task in registry.parts(name)} <= known]
    for name in names:
        one = argparse.Namespace(**vars(args) | {"task": name, "model": args.task})
        try:
            rows, made = outcome(one, asked, system)
        except BadInput as error:
            problems.append(error)
            continue
        found[name] = evaluate.described(one, asked, rows, made)
    if not found:
        raise problems[0] if problems else BadInput(f"weights/{args.task} answers no task that can be evaluated.")
    return {"system": args.task, "tasks": found}


def _rows(args: argparse.Namespace, task: Task) -> tuple[list[Row], list[str]]:
    """And a sentence for each row that is not whole."""
    path = Path(args.data)
    require_file(path)
    dataset = datasets.get(task.data)
    if path.suffix in OWNERS and dataset.official_file is not None:
        rows, problems = dataset.official_file(path)
        return rows[: args.limit], problems
    rows = dataset.read_parquet(path, limit=args.limit)
    require_columns(path, pq.read_schema(path).names, NEEDED[args.task], args.task)
    return rows, []


def _require_sides(path: str, system: MultitaskModel, asked: Asked) -> None:
    """`BadInput` where the file has nothing that the system reads of a row as it is to be shown."""
    name = system.card.name
    sides = [side for side in ("image", "text") if system.reads(side) and asked.modality in {None, side}]
    if not sides:
        raise BadInput(f"{name} does not look at the {asked.modality}: leave out --modality {asked.modality}.")
    have, needed = pq.read_schema(path).names, ["image"] if asked.captions == "ocr" else sides
    if not set(needed) & set(have):
        require_columns(path, have, needed, name)


def answer(system: MultitaskModel, wanted: Sequence[Task], rows: Sequence[Row], asked: Asked) -> Outcome:
    """Predictions a row, and figures over the rows that answer all questions."""
    from training.evaluation.run import Outcome

    for task in wanted:
        if task.name not in system.tasks:
            raise BadInput(
                f"weights/{system.card.name} does not answer {task.name}: it answers {', '.join(system.tasks)}."
            )
    notes: Counter[str] = Counter()
    targets, strange = zip(*(task.targets(rows) for task in wanted), strict=True)
    known = (np.concatenate(targets, axis=1) != UNKNOWN).all(axis=1)
    for task, problems in zip(wanted, strange, strict=True):
        if problems and not known.any():
            raise BadInput(f"No row answers {', '.join(one.name for one in wanted)}. {problems[0]}")
        notes["labels_outside_the_set"] += len(problems)
        _tell(problems, f"labels outside the set of {task.name}")
    logits, unreadable = _logits(system, rows, asked, notes)
    notes["unreadable_pictures"] = len(unreadable)
    _tell(unreadable, "pictures that cannot be read")
    stored = evaluation_files.read_evaluation(system.card.folder).get("parts", {})
    whole = asked.modality is None and asked.captions == "given"
    keys = [evaluation_files.row_key(row.text, row.image) for row in rows]
    found: dict[str, list[Any]] = {}
    every: list[classification.TargetPredictions] = []
    names: list[str] = []
    for task, target in zip(wanted, targets, strict=True):
        number = system.tasks.index(task.name)
        head, where = system.heads[number], columns(system.heads)[number]
        fold, answered = _unseen(system, keys, task, len(logits))
        notes["out_of_fold"], notes["learned_from"] = int((fold >= 0).sum()), int((fold == LEARNED).sum())
        chances, given = _decided(head, logits[:, :, where], fold, stored.get(task.name), answered if whole else None)
        for at, question in enumerate(head.questions):
            every.append(classification.TargetPredictions(target[:, at], chances[at], given[at]))
            names.append(question.name)
            alone = len(wanted) * len(head.questions) == 1
            start = "" if alone else f"{question.name}_"
            found[f"{start}probability"] = chances[at].max(1).tolist()
            found[f"{start}label"] = [question.classes[one] for one in given[at]]
            found |= {f"{start}{name}": chances[at][:, one].tolist() for one, name in enumerate(question.classes)}
            found[f"{start}target"] = [None if one == UNKNOWN else question.classes[one] for one in target[:, at]]
    made = Outcome(found, notes=notes, settings={"system": system.card.name, "asked": int(known.sum())})
    if known.any():
        kept = [classification.TargetPredictions(*(array[known] for array in one)) for one in every]
        made.figures = classification.multi_target(kept)
        if len(kept) > 1:
            for name, one in zip(names, kept, strict=True):
                alone_figures = classification.multi_target([one])
                for end in ("", "_low", "_high", "_majority"):
                    made.figures[f"macro_f1_{name}{end}"] = alone_figures[f"macro_f1{end}"]
    return made


def _decided(
    head: Head, logits: np.ndarray, fold: np.ndarray, stored: dict[str, Any] | None, kept: np.ndarray | None
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Chances (N, C) and decisions (N,) a question: all networks together, or the one that did not see the row.

    The latter decides as it is `kept` [rows, questions], or where that is None by the rules `stored` for all such rows.
    """
    chances = head.probabilities(logits)
    given = [rule.decide(part) for rule, part in zip(head.rules, chances, strict=True)]
    here = np.flatnonzero(fold >= 0)
    if len(logits) > 1 and len(here) and stored is not None:
        single = Head.from_dict({"name": head.name, **stored})
        alone = single.probabilities(logits[fold[here], here])
        for number, part in enumerate(alone):
            chances[number][here] = part
            given[number][here] = single.rules[number].decide(part) if kept is None else kept[here, number]
    return chances, given


def _unseen(system: MultitaskModel, keys: Sequence[int], task: Task, networks: int) -> tuple[np.ndarray, np.ndarray]:
    """The network that did not see each row, and what it was kept to answer [rows, questions], UNKNOWN elsewhere.

    keys: `evaluation.key` of each row. UNSEEN stands for rows that no network has learned from, LEARNED for those that all have.
    """
    file, name = system.card.folder / evaluation_files.PREDICTIONS, task.name
    fold, given = np.full(len(keys), UNSEEN), np.full((len(keys), len(task.questions)), UNKNOWN)
    if not file.is_file():
        return fold, given
    learned = set(evaluation_files.learned_keys(system.card.folder).tolist())
    with np.load(file) as held:
        known: dict[int, tuple[int, list[int]]] = {}
        if f"{name}:key" in held and networks > 1:
            here = held[f"{name}:part"] == 0
            key, by, answers = (held[f"{name}:{what}"][here].tolist() for what in ("key", "fold", "given"))
            known = dict(zip(key, zip(by, answers, strict=True), strict=True))
    for number, one in enumerate(keys):
        if one in known:
            fold[number], given[number] = known[one]
        elif one in learned:
            fold[number] = LEARNED
    return fold, given


def _tell(problems: Sequence[str], what: str) -> None:
    """The first few sentences, and how many more there are."""
    for problem in problems[:TOLD]:
        print(problem)
    if len(problems) > TOLD:
        print(f"... and {len(problems) - TOLD} more {what}.")


def _logits(
    system: MultitaskModel, rows: Sequence[Row], asked: Asked, notes: Counter[str]
) -> tuple[np.ndarray, list[str]]:
    """(networks, rows, all heads), of pictures and words as the app would take them; few pictures are held at once.

    And a sentence for each row whose picture cannot be read.
    """
    reader = RapidReader() if asked.captions == "ocr" else None
    parts, unreadable = [], []
    with tqdm(total=len(rows), disable=None, unit="row") as bar:
        for start in range(0, len(rows), BATCH_SIZE):
            some = [_shown(row, asked, reader, notes, unreadable) for row in rows[start : start + BATCH_SIZE]]
            parts.append(system.logits([image for image, _ in some], [text for _, text in some]))
            bar.update(len(some))
    return np.concatenate(parts, axis=1), unreadable


def _shown(
    row: Row, asked: Asked, reader: Reader | None, notes: Counter[str], unreadable: list[str]
) -> tuple[Image.Image | None, str]:
    """A picture that cannot be opened counts as missing, and is told in `unreadable`."""
    image = None
    if row.image is not None:
        try:
            image = open_picture(row.image).image
        except BadPicture as error:
            unreadable.append(f"Row {row.id}: {error}")
    text = (row.text or "")[: captions.MAX_CHARACTERS]
    if asked.modality == "image":
        text = ""
    elif reader is not None:
        text = captions.read(image, None, reader).text
    if asked.modality == "text":
        image = None
    if image is None and not text.strip():
        notes["without_input"] += 1
    return image, text
