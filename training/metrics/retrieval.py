"""Figures of retrieval between N pictures and their captions, with 95% intervals and chance beside them.

- image_to_text_r1, _r5, _r10: share (percent) of pictures with one of their own captions among the 1, 5, 10 nearest of
  all captions; text_to_image_...: share of captions with their picture among the nearest (Hodosh et al. 2013, 5.2).
- image_to_text_median_rank: the median over pictures of the rank of their first own caption, 1 being best.
- matching_accuracy: each caption is shown with its own picture and with another one, drawn by a fixed seed; the share
  of captions that lie nearer to their own (percent; chance 50).
- `_low`, `_high`: 2.5th and 97.5th percentile over bootstrap resamples of the pictures, the captions of a picture
  staying together, with the ranks among all captions left as they are. `_chance`: expected of random order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.metrics import bootstrap

AT = (1, 5, 10)
SEED = 0
RESAMPLES = 1000


@dataclass(frozen=True)
class Ranks:
    """image: int [N], the rank of a picture's first own caption; text: int [M], of each caption's own picture; owner:
    int [M], the picture of each caption; nearer: bool [M], own picture nearer than another. Ranks begin at 1."""

    image: np.ndarray
    text: np.ndarray
    owner: np.ndarray
    nearer: np.ndarray


def ranks(similarity: np.ndarray, owner: np.ndarray, *, seed: int = SEED) -> Ranks:
    """float [N, M] similarities of pictures and captions; owner [M] names the picture of each caption.

    Ties count against the model: a constant similarity ranks everything last, not first.
    """
    pictures, captions = similarity.shape
    if len(owner) != captions or captions == 0 or set(owner.tolist()) != set(range(pictures)):
        raise ValueError(f"{captions} captions of {len(set(owner.tolist()))} pictures do not fit {pictures} pictures")
    own = similarity[owner, np.arange(captions)]  # (M,)
    best = np.full(pictures, -np.inf)
    np.maximum.at(best, owner, own)
    foreign = owner[None] != np.arange(pictures)[:, None]  # (N, M)
    image = 1 + ((similarity >= best[:, None]) & foreign).sum(1)
    text = (similarity >= own[None]).sum(0)  # its own picture is one of them
    other = (owner + np.random.default_rng(seed).integers(1, max(2, pictures), captions)) % pictures
    nearer = own > similarity[other, np.arange(captions)]
    return Ranks(image, text, owner, nearer)


def figures(found: Ranks, *, resamples: int = RESAMPLES) -> dict[str, float]:
    """The flat dict described above."""
    pictures, captions = len(found.image), len(found.owner)
    held = np.bincount(found.owner, minlength=pictures)  # captions a picture
    report: dict[str, float] = {}
    drawn = list(bootstrap.draws(pictures, resamples, SEED))

    def put(name: str, value: float, resampled: np.ndarray, chance: float) -> None:
        low, high = np.percentile(resampled, [2.5, 97.5])
        report.update({name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)})
        report[f"{name}_chance"] = float(chance)

    for at in AT:
        hit = found.image <= at
        of_all = 1.0 - _all_miss(captions, held, at)
        shares = np.concatenate([bootstrap.mean(counts, hit) for counts in drawn])
        put(f"image_to_text_r{at}", 100 * hit.mean(), 100 * shares, 100 * float(of_all.mean()))
    for at in AT:
        put(
            f"text_to_image_r{at}",
            100 * float((found.text <= at).mean()),
            100 * _by_picture(drawn, found.text <= at, found.owner, held),
            100 * min(1.0, at / pictures),
        )
    put(
        "matching_accuracy",
        100 * float(found.nearer.mean()),
        100 * _by_picture(drawn, found.nearer, found.owner, held),
        50.0,
    )
    image, text = _medians(drawn, found.image, np.arange(pictures)), _medians(drawn, found.text, found.owner)
    put("image_to_text_median_rank", float(np.median(found.image)), image, float(_median_of_first(captions, held)))
    put("text_to_image_median_rank", float(np.median(found.text)), text, (pictures + 1) / 2)
    return report


def difference(one: Ranks, other: Ranks, *, resamples: int = RESAMPLES) -> dict[str, float]:
    """`one` minus `other` on the same rows, in percent, with the interval of the paired bootstrap over pictures."""
    held = np.bincount(one.owner, minlength=len(one.image))
    report: dict[str, float] = {}
    drawn = list(bootstrap.draws(len(one.image), resamples, SEED))
    for at in AT:
        gain = (one.image <= at).astype(float) - (other.image <= at)
        pairs = {
            f"image_to_text_r{at}": (gain.mean(), np.concatenate([bootstrap.mean(counts, gain) for counts in drawn]))
        }
        gain = (one.text <= at).astype(float) - (other.text <= at)
        pairs[f"text_to_image_r{at}"] = (gain.mean(), _by_picture(drawn, gain, one.owner, held))
        for name, (value, resampled) in pairs.items():
            low, high = np.percentile(100 * resampled, [2.5, 97.5])
            report |= {name: 100 * float(value), f"{name}_low": float(low), f"{name}_high": float(high)}
    return report


def _by_picture(drawn: list[np.ndarray], values: np.ndarray, owner: np.ndarray, held: np.ndarray) -> np.ndarray:
    """(R,) means over captions where whole pictures are drawn."""
    sums = np.bincount(owner, weights=values.astype(float), minlength=len(held))
    return np.concatenate([(counts @ sums) / (counts @ held) for counts in drawn])


def _medians(drawn: list[np.ndarray], values: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(R,) medians of values [M] where whole pictures are drawn: the value at which half of the weight is passed."""
    order = np.argsort(values, kind="stable")
    found = []
    for counts in drawn:
        weight = counts[:, owner[order]].cumsum(1)
        found.append(values[order][(weight >= weight[:, -1:] / 2).argmax(1)])
    return np.concatenate(found)


def _all_miss(captions: int, held: np.ndarray, at: int) -> np.ndarray:
    """For each picture the chance that none of its captions is among `at` drawn without putting back."""
    miss = np.ones(len(held))
    for draw in range(min(at, captions)):
        miss *= np.maximum(captions - held - draw, 0) / (captions - draw)
    return miss


def _median_of_first(captions: int, held: np.ndarray) -> float:
    """About the rank by which half of the pictures have met one of their captions in random order."""
    return float(np.median(captions * (1 - 0.5 ** (1 / np.maximum(held, 1)))))


def recalls(found: Ranks) -> dict[str, float]:
    """The six recalls in percent, without intervals: what an epoch is chosen by."""
    both = (("image_to_text", found.image), ("text_to_image", found.text))
    return {f"{way}_r{at}": round(100 * float((rank <= at).mean()), 2) for way, rank in both for at in AT}
