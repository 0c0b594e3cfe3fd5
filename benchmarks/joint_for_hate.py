"""Would the joint space's vectors serve the hate classifier better than the `mini` towers' own pooled ones?

    python -m benchmarks.joint_for_hate --data DATA --json benchmarks/results/joint_for_hate.json

Logistic regression on a meme's picture and words as vectors of 512 each: `pooled` as the mini profile gives them now, `joint`
from weights/joint_picture and weights/joint_words, and both side by side. Training rows of two data sets, predicted out of
fold (a group of near-copies lies in one fold); the regularization is chosen within the rows trained on. Intervals are
bootstrap ones over groups, the differences on the same resamples. The majority baseline has an AUROC of .5.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import options, report
from models.encoders.mini import MiniEncoder
from models.io.images import open_picture
from models.search.joint_space import JointSpace, MiniSpace
from training.datasets.base import Row
from training.datasets.harmeme import HARMEME
from training.datasets.published import RELIGIOUS_HATEFUL
from training.engine.folds import group_holdout, stratified_group_folds
from training.features.cache import cached_array
from training.metrics import bootstrap
from training.metrics.intervals import percentile_interval

DATASETS = (RELIGIOUS_HATEFUL, HARMEME)
C_VALUES = (1e-4, 1e-3, 1e-2)  # for columns with a standard deviation of 1
FOLDS, SEED, BATCH_SIZE, WIDTH = 5, 7, 64, 512


def main() -> None:
    """Embed, fit, measure and report."""
    parser = options(__doc__, data=True)
    parser.add_argument(
        "--out", type=Path, default=Path("runs/joint_for_hate"), help="the folder of the cached vectors"
    )
    parser.add_argument("--limit", type=int, help="use this many rows of each, to try things out")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    start = time.perf_counter()
    mini, joint = MiniSpace(MiniEncoder(threads=args.threads)), JointSpace(threads=args.threads)
    identities = {card.name: card.identity for card in (*mini.cards, *joint.cards)}
    metrics: dict[str, Any] = {"weights": identities, "rows": {}, "auroc": {}}
    for dataset in DATASETS:
        rows = dataset.load("train", args.data)[0][: args.limit]
        features = {name: embed(rows, space, args.out, name) for name, space in (("pooled", mini), ("joint", joint))}
        labels = np.array([int(row.label or 0) for row in rows])  # type: ignore[arg-type]
        groups = np.unique([row.group for row in rows], return_inverse=True)[1]
        metrics["rows"][dataset.name] = {
            "rows": len(rows),
            "positive": int(labels.sum()),
            "groups": int(groups.max()) + 1,
        }
        metrics["auroc"][dataset.name] = compare(features, labels, groups)
    report({**metrics, "seconds": round(time.perf_counter() - start)}, args.json)


def embed(rows: Sequence[Row], space: MiniSpace | JointSpace, cache: Path, name: str) -> np.ndarray:
    """float32 [rows, 2 x WIDTH]: picture and words; zeros for what a meme does not have."""

    def compute() -> np.ndarray:
        vectors = np.zeros((len(rows), 2 * WIDTH), np.float32)
        with_image = np.flatnonzero([bool(row.image) for row in rows])
        with_text = np.flatnonzero([bool((row.text or "").strip()) for row in rows])
        for part in gen_batches(len(with_image), BATCH_SIZE):
            images = [open_picture(rows[number].image or b"").image for number in with_image[part]]
            vectors[with_image[part], :WIDTH] = space.embed_images(images)
        for part in gen_batches(len(with_text), BATCH_SIZE):
            vectors[with_text[part], WIDTH:] = space.embed_texts(
                [rows[number].text or "" for number in with_text[part]]
            )
        return vectors

    contents = [value for row in rows for value in (row.image or b"", row.text or "")]
    return cached_array(cache, name, [*(card.identity for card in space.cards), *contents], compute)


def compare(features: dict[str, np.ndarray], labels: np.ndarray, groups: np.ndarray) -> dict[str, dict[str, float]]:
    """AUROC of each kind of vectors, of both together, and of their differences from `pooled`."""
    scores = {name: cross_val_scores(vectors, labels, groups) for name, vectors in features.items()}
    scores["both"] = cross_val_scores(np.concatenate(list(features.values()), axis=1), labels, groups)
    resampled = bootstrap.resample(
        lambda counts: {name: bootstrap.auroc(counts[:, groups], labels, values) for name, values in scores.items()},
        int(groups.max()) + 1,
        seed=SEED,
    )
    auroc = {name: float(roc_auc_score(labels, values)) for name, values in scores.items()}
    entries = {name: _entry(auroc[name], resampled[name]) for name in scores}
    for name in ("joint", "both"):
        difference = resampled[name] - resampled["pooled"]
        entries[f"{name} minus pooled"] = _entry(auroc[name] - auroc["pooled"], difference)
    return entries


def cross_val_scores(vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Out-of-fold scores [rows]."""
    scores = np.zeros(len(labels))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300, class_weight="balanced"))
    folds = stratified_group_folds(labels, groups, FOLDS, SEED)
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        holdout = PredefinedSplit(group_holdout(groups[train], 0.25, SEED))
        search = GridSearchCV(model, {"logisticregression__C": C_VALUES}, scoring="roc_auc", cv=holdout)
        scores[test] = search.fit(vectors[train], labels[train]).decision_function(vectors[test])
    return scores


def _entry(value: float, resampled: np.ndarray) -> dict[str, float]:
    low, high = percentile_interval(resampled)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


if __name__ == "__main__":
    main()
