"""How much a label of Memotion, HarMeme or Dreaddit says about the label of the very same meme, filed a second time.

    python -m benchmarks.near_copies --data DATA --json assets/near_copies.json

Some memes lie in a data set twice or more: same words, near-copies of the picture (`group` in our Parquet files). Each was
annotated for itself. If one copy's label does not predict the other's, a model that reads the meme cannot predict it well
either. The metrics are those of "predict the label of another copy", over pairs of training and validation rows of one
group whose words are alike; a row with several copies counts once, its pairs share its weight. Beside macro-F1 and
accuracy stand Cohen's kappa (Cohen 1960: agreement beyond chance, 0 is none), the majority baseline of these rows, and 95%
bootstrap intervals over groups. The Evaluation page shows them among the published figures.
"""

import difflib
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import options, report
from models.evaluation_files import UNKNOWN
from training.datasets import registry as datasets
from training.datasets.base import Row
from training.metrics import bootstrap
from training.metrics.intervals import metric_entry
from training.tasks import registry
from training.tasks.base import HeadTask

DATASETS = ("memotion", "harmeme", "dreaddit")
MIN_SIMILARITY = 0.9  # Ratcliff and Obershelp's, of the letters; OCR leaves slips in the words of one and the same meme
MIN_GROUPS = 20  # below this nothing is reported


def main() -> None:
    """Measure and report."""
    args = options(__doc__, data=True).parse_args()
    rows = {
        name: [row for split in ("train", "validation") for row in datasets.get(name).load(split, args.data)[0]]
        for name in DATASETS
    }
    pairs = {name: list(copies(rows[name])) for name in DATASETS}
    metrics = {}
    for name, tasks in registry.head_tasks_by_name().items():
        dataset = tasks[0].dataset.name
        if dataset in rows and (entry := agreement(rows[dataset], pairs[dataset], tasks)):
            metrics[name] = entry
    report(metrics, args.json)


def copies(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Numbers of two rows of one group whose words are alike; each pair twice, in both orders."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        if row.group and row.text:
            groups[row.group].append(number)
    texts = [(row.text or "").casefold() for row in rows]
    for members in groups.values():
        for first, second in permutations(members, 2):
            a, b = sorted((texts[first], texts[second]))
            if difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() >= MIN_SIMILARITY:
                yield first, second


def agreement(rows: Sequence[Row], copied: Sequence[tuple[int, int]], tasks: Sequence[HeadTask]) -> dict[str, float]:
    """Means over all targets of the tasks, on rows that have labels for all of them.

    copied: `copies(rows)`. Empty if fewer than MIN_GROUPS memes have copies.
    """
    if not copied:
        return {}
    pairs = np.array(copied)
    targets = np.concatenate([task.encode(rows)[0] for task in tasks], axis=1)
    class_counts = [len(target.classes) for task in tasks for target in task.targets]
    pairs = pairs[(targets[pairs] != UNKNOWN).all((1, 2))]
    group = np.unique([rows[number].group for number in pairs[:, 0]], return_inverse=True)[1]
    if not len(pairs) or group.max() + 1 < MIN_GROUPS:
        return {}
    pair_weight = 1 / np.bincount(pairs[:, 0])[pairs[:, 0]]  # a row's pairs weigh 1 together
    y_true, y_copy = targets[pairs[:, 0]], targets[pairs[:, 1]]

    def scores(y_pred: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
        by_target = [_scores(y_true[:, i], y_pred[:, i], count, weights) for i, count in enumerate(class_counts)]
        return {name: np.mean([values[name] for values in by_target], axis=0) for name in by_target[0]}

    resampled = bootstrap.resample(lambda counts: scores(y_copy, counts[:, group] * pair_weight), int(group.max()) + 1)
    commonest = [np.bincount(y_true[:, i], pair_weight, count).argmax() for i, count in enumerate(class_counts)]
    majority = scores(np.tile(commonest, (len(y_true), 1)), pair_weight[None])
    metrics: dict[str, float] = {"rows": len(np.unique(pairs[:, 0])), "groups": int(group.max()) + 1}
    for name, value in scores(y_copy, pair_weight[None]).items():
        baseline = None if name == "kappa" else majority[name][0]
        metrics |= metric_entry(name, value[0], resampled[name], majority=baseline)
    return metrics


def _scores(y_true: np.ndarray, y_pred: np.ndarray, classes: int, weights: np.ndarray) -> dict[str, np.ndarray]:
    """(R,) values of each metric, from (N,) class numbers and (R, N) weights of the pairs."""
    true, predicted = np.eye(classes)[y_true], np.eye(classes)[y_pred]  # (N, C)
    accuracy = bootstrap.mean(weights, y_true == y_pred)
    chance = ((weights @ true) * (weights @ predicted)).sum(1) / weights.sum(1) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):  # one class only: there is nothing to agree about
        kappa = (accuracy - chance) / (1 - chance)
    f1 = bootstrap.f1_scores(weights, true, predicted, count_absent=False)
    return {"macro_f1": f1["macro_f1"], "accuracy": accuracy, "kappa": kappa}


if __name__ == "__main__":
    main()
