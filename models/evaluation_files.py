"""The files by which a trained model shows itself, and what is in them. The Evaluation page reads nothing else.

`weights/<name>/` of any model, or a run's folder, may hold beside its weights and its card:

- `metrics.json`: {where: figures}. `where` says what was asked on which rows ("stress, validation"); figures are those of
  `training.metrics.classification` with `rows`, each as name, name_low, name_high, name_majority. Entries that are no dict
  are notes.
- `evaluation.json`: {"title", "summary", "data", "measured_with", "parts": {task: {"kind", "questions": [{"name",
  "classes"}], "rules": [{"scale", "bias", "offsets"}], "rows": which rows `predictions.npz` holds}}, "curves": [[{"epoch",
  "loss", "validation_loss", ...}]: one list a fold], "ablations": [{"name", "figures": {task: figures}}],
  "problems": sentences about rows that were left out, "made_by": {task: identity of the weights that predicted}, so that
  predictions of weights that were trained again since are not shown as theirs}. Where the rows of `parts` are training
  rows (out of fold, or held out), "validation" describes the answers of what ships on validation rows in the same way.
- `predictions.npz`: arrays named `TASK:what`, on validation rows beside others `TASK@validation:what`, without any word or
  picture of the data set. `what` is `target` int8 [rows,
  questions] (-1 unknown), `given` int8 [rows, questions], `raw.N` float16 [rows, classes] (question N's probabilities before
  calibration), `fold` int8 [rows], `row` int32 [rows] (the row's place in its file), `part` int8 (0 train, 1 validation)
  and `key` uint64 (see `key`). `learned:key` are the keys of all rows that the model learned from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.classifiers.heads import Head

PREDICTIONS, EVALUATION, LEARNED = "predictions.npz", "evaluation.json", "learned:key"
VALIDATION = "validation"  # `rows` of validation rows
ON_VALIDATION = "@validation"  # after the task in the names of its arrays on validation rows


@dataclass(frozen=True)
class Answers:
    """One task's answers on rows that were not learned from: `raw` and `given` have an entry a question."""

    head: Head
    rows: str
    target: np.ndarray
    raw: Sequence[np.ndarray]
    given: Sequence[np.ndarray]
    row: np.ndarray
    part: np.ndarray
    fold: np.ndarray
    key: np.ndarray


def write(
    folder: Path,
    answers: Sequence[Answers],
    learned: np.ndarray,
    *,
    validation: Sequence[Answers] = (),
    **described: Any,
) -> None:
    """Both files; `learned` uint64 are the keys of all rows learned from, `described` what else `evaluation.json` holds."""
    arrays = _arrays(answers) | _arrays(validation, ON_VALIDATION) | {LEARNED: learned}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / PREDICTIONS, **arrays)  # type: ignore[arg-type]  # numpy's stub takes names for flags
    also = {"validation": _parts(validation)} if validation else {}
    save(folder, {**described, "parts": _parts(answers), **also})


def add(folder: Path, answers: Sequence[Answers], **described: Any) -> None:
    """As `write`, beside what is there of other tasks."""
    held: dict[str, np.ndarray] = {}
    if (folder / PREDICTIONS).is_file():
        with np.load(folder / PREDICTIONS) as file:
            held = {name: file[name] for name in file.files}
    new = {one.head.name for one in answers}
    arrays = {name: value for name, value in held.items() if name.split(":")[0] not in new} | _arrays(answers)
    np.savez_compressed(folder / PREDICTIONS, **arrays)  # type: ignore[arg-type]
    before = read(folder)
    save(folder, {**before, **described, "parts": {**before.get("parts", {}), **_parts(answers)}})


def _arrays(answers: Sequence[Answers], where: str = "") -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for one in answers:
        name = one.head.name + where
        arrays |= {f"{name}:raw.{number}": raw.astype(np.float16) for number, raw in enumerate(one.raw)}
        arrays |= {
            f"{name}:target": one.target.astype(np.int8),
            f"{name}:given": np.stack(one.given, axis=1).astype(np.int8),
            f"{name}:fold": one.fold.astype(np.int8),
            f"{name}:row": one.row.astype(np.int32),
            f"{name}:part": one.part.astype(np.int8),
            f"{name}:key": one.key,
        }
    return arrays


def _parts(answers: Sequence[Answers]) -> dict[str, Any]:
    return {one.head.name: {"rows": one.rows, **_without_name(one.head)} for one in answers}


def save(folder: Path, found: Mapping[str, Any]) -> None:
    """`evaluation.json`, over what was there."""
    text = json.dumps(dict(found), indent=1, ensure_ascii=False)
    (folder / EVALUATION).write_text(text + "\n", encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """`evaluation.json`, empty where there is none."""
    file = folder / EVALUATION
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def learned(folder: Path) -> np.ndarray:
    """The keys of all rows that the model in this folder learned from, empty where it does not tell."""
    if not (folder / PREDICTIONS).is_file():
        return np.zeros(0, np.uint64)
    with np.load(folder / PREDICTIONS) as file:
        found: np.ndarray = file[LEARNED] if LEARNED in file.files else np.zeros(0, np.uint64)
        return found


def key(text: str | None, image: bytes | None) -> int:
    """64 bits that tell whether a row is one that was learned from; they tell nothing else about it."""
    digest = hashlib.sha256((text or "").strip().encode() + b"\0" + (image or b"")).digest()
    return int.from_bytes(digest[:8], "big")


def _without_name(head: Head) -> dict[str, Any]:
    return {key: value for key, value in head.to_dict().items() if key != "name"}
