"""How much a label of Memotion, HarMeme or Dreaddit says about the label of the very same meme, filed a second time.

    python -m benchmarks.near_copies --data DATA --json assets/near_copies.json

Some memes lie in a data set twice or more: same words, near-copies of the picture (`group` in our Parquet parts). Each was
annotated for itself. Where one copy's label does not tell the other's, a system that reads the meme cannot tell it well
either. Figures are of "answer with the label of another copy", over pairs of training and validation rows of one group whose
words are alike; a row with several copies counts once, its pairs sharing its weight. Beside macro-F1 and agreement stand
Cohen's kappa (Cohen 1960: agreement beyond chance, 0 is none), what always answering the commonest label of these rows
gives, and 95% bootstrap intervals over groups. The Evaluation page shows them among the published figures.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from training.datasets import registry as datasets
from training.datasets.base import Row
from training.engine.losses import UNKNOWN
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry
from training.tasks import registry
from training.tasks.base import Task

ALIKE = 0.9  # of the letters in order (Ratcliff and Obershelp); OCR leaves slips in the words of one and the same meme
FEWEST = 20  # groups, below which nothing is told


def main() -> None:
    """Reads, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder with NAME.train.parquet (default: SUBTEXT_DATA, else data/)")
    parser.add_argument("--json", help="where the figures go")
    args = parser.parse_args()
    sets = {name: of_set(name, args.data) for name in ("memotion", "harmeme", "dreaddit")}
    pairs = {name: list(copies(rows)) for name, rows in sets.items()}
    found = {
        name: figures
        for name in (*registry.EVALUATED, *registry.TOGETHER["memotion-intensity"])
        if (data := registry.parts(name)[0].data) in sets
        and (figures := agreement(sets[data], pairs[data], registry.parts(name)))
    }
    text = json.dumps(found, indent=2)
    print(text)
    if args.json:
        Path(args.json).write_text(text + "\n", encoding="utf-8")


def of_set(name: str, data: str | None) -> list[Row]:
    """Training and validation rows."""
    return [row for split in ("train", "validation") for row in datasets.get(name).load(split, data)[0]]


def copies(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Numbers of two rows of one group whose words are alike, either way round."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.group and row.text:
            groups[row.group].append(number)
    words = [(row.text or "").casefold() for row in rows]
    for members in groups.values():
        for one, other in permutations(members, 2):
            first, second = sorted((words[one], words[other]))
            if difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= ALIKE:
                yield one, other


def agreement(rows: Sequence[Row], copied: Sequence[tuple[int, int]], tasks: Sequence[Task]) -> dict[str, float]:
    """Means over all questions of the tasks, on rows that answer all of them; empty where under FEWEST memes lie there twice.

    copied: `copies(rows)`.
    """
    if not copied:
        return {}
    pairs = np.array(copied)
    targets = np.concatenate([task.targets(rows)[0] for task in tasks], axis=1)
    classes = [len(question.classes) for task in tasks for question in task.questions]
    pairs = pairs[(targets[pairs] != UNKNOWN).all((1, 2))]
    group = np.unique([rows[number].group for number in pairs[:, 0]], return_inverse=True)[1]
    if not len(pairs) or group.max() + 1 < FEWEST:
        return {}
    share = 1 / np.bincount(pairs[:, 0])[pairs[:, 0]]  # of a row's weight
    truth, given = targets[pairs[:, 0]], targets[pairs[:, 1]]

    def scored(told: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        asked = [_scores(truth[:, at], told[:, at], count, weights) for at, count in enumerate(classes)]
        return {name: np.mean([one[name] for one in asked], axis=0) for name in asked[0]}

    drawn = bootstrap.resample(lambda counts: scored(given, counts[:, group] * share), int(group.max()) + 1)
    commonest = [np.bincount(truth[:, at], share, count).argmax() for at, count in enumerate(classes)]
    majority = scored(np.tile(commonest, (len(truth), 1)), share[None])
    found: dict[str, float] = {"rows": len(np.unique(pairs[:, 0])), "groups": int(group.max()) + 1}
    for name, value in scored(given, share[None]).items():
        constant = None if name == "kappa" else majority[name][0]
        found |= metric_entry(name, value[0], drawn[name], majority=constant)
    return found


def _scores(truth: np.ndarray, given: np.ndarray, classes: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """(R,) values each, from (N,) class numbers and (R, N) weights of the pairs."""
    true, told = np.eye(classes)[truth], np.eye(classes)[given]
    total = weights.sum(1)
    accuracy = weights @ (truth == given) / total
    chance = ((weights @ true) * (weights @ told)).sum(1) / total**2
    with np.errstate(invalid="ignore", divide="ignore"):  # one class only: there is nothing to agree about
        kappa = (accuracy - chance) / (1 - chance)
    f1 = 2 * (weights @ (true * told)) / np.maximum(weights @ true + weights @ told, 1e-9)
    seen = weights @ true + weights @ told > 0
    return {"macro_f1": (f1 * seen).sum(1) / seen.sum(1), "accuracy": accuracy, "kappa": kappa}


if __name__ == "__main__":
    main()
