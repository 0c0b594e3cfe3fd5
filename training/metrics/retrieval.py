"""Metrics of retrieval between N images and their captions, with 95% intervals and chance beside them.

- image_to_text_r1, _r5, _r10: recall in percent, images with one of their own captions among the 1, 5, 10 nearest of
  all captions; text_to_image_...: captions with their image among the nearest (Hodosh et al. 2013, 5.2).
- image_to_text_median_rank: the median over images of the rank of their first own caption, 1 being best.
- matching_accuracy: each caption is compared with its own image and with another one, drawn by a fixed seed; percent of
  captions that lie nearer to their own (chance 50).
- `_low`, `_high`: the 95% percentile interval over bootstrap resamples of the images, the captions of an image
  staying together, with the ranks among all captions left as they are. `_chance`: expected of random order.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.metrics import bootstrap
from training.metrics.bootstrap import RESAMPLES, SEED
from training.metrics.intervals import metric_entry

RECALL_AT = (1, 5, 10)


@dataclass(frozen=True)
class Ranks:
    """`image` int [N]: the rank of an image's first own caption; `text` int [M]: of each caption's own image; `owner` int
    [M]: the image of each caption; `nearer` bool [M]: own image nearer than another one. Ranks begin at 1."""

    image: np.ndarray
    text: np.ndarray
    owner: np.ndarray
    nearer: np.ndarray


def ranks(similarity: np.ndarray, owner: np.ndarray, *, seed: int = SEED) -> Ranks:
    """float [N, M] similarities of images and captions; owner [M] names the image of each caption.

    Ties count against the model: a constant similarity ranks everything last, not first.
    """
    images, captions = similarity.shape
    if len(owner) != captions or captions == 0 or set(owner.tolist()) != set(range(images)):
        raise ValueError(f"{captions} captions of {len(set(owner.tolist()))} images do not fit {images} images")
    own = similarity[owner, np.arange(captions)]  # (M,)
    best = np.full(images, -np.inf)
    np.maximum.at(best, owner, own)
    foreign = owner[None] != np.arange(images)[:, None]  # (N, M)
    image = 1 + ((similarity >= best[:, None]) & foreign).sum(1)
    text = (similarity >= own[None]).sum(0)  # its own image is one of them
    other = (owner + np.random.default_rng(seed).integers(1, max(2, images), captions)) % images
    nearer = own > similarity[other, np.arange(captions)]
    return Ranks(image, text, owner, nearer)


def metrics(ranked: Ranks, *, resamples: int = RESAMPLES) -> dict[str, float]:
    """The flat dict described above."""
    images, captions = len(ranked.image), len(ranked.owner)
    captions_of = np.bincount(ranked.owner, minlength=images)
    hits = {**_hits(ranked), "matching_accuracy": ranked.nearer}
    median_ranks = {"image_to_text_median_rank": (ranked.image, np.arange(images)),
                    "text_to_image_median_rank": (ranked.text, ranked.owner)}  # fmt: skip

    def resampled(counts: np.ndarray) -> dict[str, np.ndarray]:
        medians = {name: _weighted_median(counts, *pair) for name, pair in median_ranks.items()}
        return _percent(counts, hits, ranked.owner) | medians

    values = {name: 100 * hit.mean() for name, hit in hits.items()}
    values |= {name: np.median(rank) for name, (rank, _) in median_ranks.items()}
    chance = {
        **{f"image_to_text_r{k}": 100 * (1.0 - _chance_of_no_hit(captions, captions_of, k)).mean() for k in RECALL_AT},
        **{f"text_to_image_r{k}": 100 * min(1.0, k / images) for k in RECALL_AT},
        "matching_accuracy": 50.0,
        "image_to_text_median_rank": _median_of_first_own(captions, captions_of),
        "text_to_image_median_rank": (images + 1) / 2,
    }
    drawn = bootstrap.resample(resampled, images, resamples=resamples)
    report: dict[str, float] = {}
    for name, value in values.items():
        report |= metric_entry(name, value, drawn[name], chance=chance[name])
    return report


def difference(ours: Ranks, theirs: Ranks, *, resamples: int = RESAMPLES) -> dict[str, float]:
    """The recalls of `ours` minus those of `theirs` on the same rows, in percent, with the interval of the paired
    bootstrap over images."""
    their_hits = _hits(theirs)
    gains = {name: hit.astype(float) - their_hits[name] for name, hit in _hits(ours).items()}
    rows = len(ours.image)
    drawn = bootstrap.resample(lambda counts: _percent(counts, gains, ours.owner), rows, resamples=resamples)
    report: dict[str, float] = {}
    for name, gain in gains.items():
        report |= metric_entry(name, 100 * gain.mean(), drawn[name])
    return report


def recalls(ranked: Ranks) -> dict[str, float]:
    """The six recalls in percent, without intervals: the score by which an epoch is chosen."""
    return {name: round(100 * float(hit.mean()), 2) for name, hit in _hits(ranked).items()}


def _hits(ranked: Ranks) -> dict[str, np.ndarray]:
    """Each recall as bool values of all images [N] or all captions [M]."""
    directions = (("image_to_text", ranked.image), ("text_to_image", ranked.text))
    return {f"{name}_r{k}": rank <= k for name, rank in directions for k in RECALL_AT}


def _percent(counts: np.ndarray, values: Mapping[str, np.ndarray], owner: np.ndarray) -> dict[str, np.ndarray]:
    """(R,) means in percent over images, or over captions, from counts (R, N) of images: a caption is drawn with its image."""
    captions_of = np.bincount(owner, minlength=counts.shape[1])
    means = {}
    for name, value in values.items():
        if name.startswith("image_to_text"):
            means[name] = 100 * bootstrap.mean(counts, value)
        else:
            sums = np.bincount(owner, weights=value.astype(float), minlength=counts.shape[1])
            means[name] = 100 * ((counts @ sums) / (counts @ captions_of))
    return means


def _weighted_median(counts: np.ndarray, values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(R,) medians of values [M], from counts (R, N) of images: the value at which half of the weight is passed."""
    order = np.argsort(values, kind="stable")
    weight = counts[:, owner[order]].cumsum(1)
    median: np.ndarray = values[order][(weight >= weight[:, -1:] / 2).argmax(1)]
    return median


def _chance_of_no_hit(captions: int, captions_of: np.ndarray, k: int) -> np.ndarray:
    """[N]: the probability that none of an image's own captions is among k drawn without replacement."""
    miss = np.ones(len(captions_of))
    for drawn in range(min(k, captions)):
        miss *= np.maximum(captions - captions_of - drawn, 0) / (captions - drawn)
    return miss


def _median_of_first_own(captions: int, captions_of: np.ndarray) -> float:
    """About the rank by which half of the images have met one of their captions in random order."""
    return float(np.median(captions * (1 - 0.5 ** (1 / np.maximum(captions_of, 1)))))
