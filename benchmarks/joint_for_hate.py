"""Would the joint space's vectors serve the hate classifier better than the `mini` towers' own pooled ones?

    python -m benchmarks.joint_for_hate --data DATA --json benchmarks/results/joint_for_hate.json

Logistic regression on a meme's picture and words as vectors of 512 each: `pooled` as the mini profile gives them now, `joint`
from weights/joint_picture and weights/joint_words, and both side by side. Training rows of two data sets, answered out of
fold (a group of near-copies lies in one fold); the regression's strength is chosen within the rows trained on. Intervals are
bootstrap ones over groups, the differences on the same resamples. Always the same answer has an AUROC of .5.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.search.joint_space import JointSpace, MiniSpace
from training.datasets.base import Row
from training.datasets.harmeme import HARMEME
from training.datasets.religious_hateful import RELIGIOUS_HATEFUL
from training.metrics import bootstrap
from training.metrics.intervals import percentile_interval
from training.robustness.results_cache import remembered

DATASETS = (RELIGIOUS_HATEFUL, HARMEME)
STRENGTHS = (1e-4, 1e-3, 1e-2)  # inverse, of columns with a spread of 1
FOLDS, SEED, AT_ONCE = 5, 7, 64


def main() -> None:
    """Embeds, fits, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder with NAME.train.parquet (default: SUBTEXT_DATA, else data/)")
    parser.add_argument("--json", help="where the figures go")
    parser.add_argument("--out", default="runs/joint_for_hate", help="where the vectors are kept")
    parser.add_argument("--limit", type=int, help="use this many rows of each, to try things out")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    started = time.perf_counter()
    mini, joint = MiniSpace(MiniEncoder(threads=args.threads)), JointSpace(threads=args.threads)
    report: dict[str, object] = {
        "weights": {card.name: card.identity for card in (*mini.cards, *joint.cards)},
        "rows": {},
        "auroc": {},
    }
    for dataset in DATASETS:
        name, rows = dataset.name, dataset.load("train", args.data)[0][: args.limit]
        parts = {
            what: embedded(rows, space, Path(args.out), what) for what, space in (("pooled", mini), ("joint", joint))
        }
        labels = np.array([int(row.label or 0) for row in rows])  # type: ignore[arg-type]
        groups = np.unique([row.group for row in rows], return_inverse=True)[1]
        report["rows"][name] = {"rows": len(rows), "positive": int(labels.sum()), "groups": int(groups.max()) + 1}  # type: ignore[index]
        report["auroc"][name] = compare(parts, labels, groups)  # type: ignore[index]
    report["seconds"] = round(time.perf_counter() - started)
    text = json.dumps(report, indent=2)
    print(text)
    if args.json:
        Path(args.json).write_text(text + "\n", encoding="utf-8")


def embedded(rows: Sequence[Row], space: MiniSpace | JointSpace, out: Path, name: str) -> np.ndarray:
    """float32 [n, 1024]: picture and words; zeros for what a meme does not have."""
    made_of = hashlib.sha256("".join(card.identity for card in space.cards).encode())
    for row in rows:
        made_of.update((row.image or b"") + b"\0" + (row.text or "").encode())

    def compute() -> np.ndarray:
        found = np.zeros((len(rows), 1024), np.float32)
        for start in range(0, len(rows), AT_ONCE):
            some = range(start, min(start + AT_ONCE, len(rows)))
            shown = [number for number in some if rows[number].image]
            told = [number for number in some if (rows[number].text or "").strip()]
            if shown:
                found[shown, :512] = space.embed_images(
                    [open_picture(rows[number].image or b"").image for number in shown]
                )
            if told:
                found[told, 512:] = space.embed_texts([rows[number].text or "" for number in told])
        return found

    return remembered(out, name, made_of.digest(), compute)


def compare(parts: dict[str, np.ndarray], labels: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """AUROC of each kind of vectors, of both together, and of their differences from `pooled`."""
    given = {name: answers(part, labels, groups) for name, part in parts.items()}
    given["both"] = answers(np.concatenate(list(parts.values()), axis=1), labels, groups)
    drawn = bootstrap.resample(
        lambda counts: {name: bootstrap.auroc(counts[:, groups], labels, told) for name, told in given.items()},
        int(groups.max()) + 1,
        seed=SEED,
    )
    values = {name: float(roc_auc_score(labels, told)) for name, told in given.items()}
    found = {name: _entry(values[name], drawn[name]) for name in given}
    for name in ("joint", "both"):
        found[f"{name} minus pooled"] = _entry(values[name] - values["pooled"], drawn[name] - drawn["pooled"])
    return found


def answers(part: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Out-of-fold scores [n]."""
    told = np.zeros(len(labels))
    for train, held in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=SEED).split(part, labels, groups):
        inside = GroupShuffleSplit(1, test_size=0.25, random_state=SEED)
        fit_on, chosen_on = next(inside.split(train, labels[train], groups[train]))
        fitted = partial(_fit, part[train[fit_on]], labels[train[fit_on]])

        def reached(strength: float, fitted=fitted, rows=train[chosen_on]) -> float:  # type: ignore[no-untyped-def]
            return float(roc_auc_score(labels[rows], fitted(strength)(part[rows])))

        told[held] = _fit(part[train], labels[train], max(STRENGTHS, key=reached))(part[held])
    return told


def _fit(part: np.ndarray, labels: np.ndarray, strength: float):  # type: ignore[no-untyped-def]
    mean, spread = part.mean(0), part.std(0) + 1e-6
    model = LogisticRegression(C=strength, max_iter=300, class_weight="balanced").fit((part - mean) / spread, labels)
    return lambda asked: model.decision_function((asked - mean) / spread)


def _entry(value: float, resampled: np.ndarray) -> dict[str, float]:
    low, high = percentile_interval(resampled)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


if __name__ == "__main__":
    main()
