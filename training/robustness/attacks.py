"""Pixel attacks on targets: one search, all targets with their metrics, and example pairs on the project's own samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from models.robustness.pixel_attack import Attack, attack, changed, paint, view
from training.robustness.metrics import summary
from training.robustness.results_cache import ResultsCache
from training.robustness.samples import samples
from training.robustness.targets import Settings, Study, Target

EXAMPLES = 3  # pairs of pictures that are saved for each variant and number of pixels


def search(target: Target, pixels: int, settings: Settings, seed: int) -> dict[str, Any]:
    """The fields of an `Attack`, with the changed pixels as [x, y, red, green, blue] in place of the picture.

    The search is given up if after half of its queries the score has not sunk by the fraction `give_up`.
    """
    best: list[float] = []  # the untouched picture's score, then the best after each generation

    def score(images: Sequence[Image.Image]) -> np.ndarray:
        scores = np.asarray(target.score(images), float)
        best.append(min([*best, float(scores.min())]))
        return scores

    def hopeless(_: Attack) -> bool:
        half = 1 + (len(best) - 1) * settings["candidates"] > settings["queries"] / 2
        return half and best[0] - best[-1] < settings["give_up"] * best[0]

    result = attack(
        target.image, score, pixels=pixels, queries=settings["queries"], candidates=settings["candidates"], seed=seed,
        on_round=hopeless,
    )  # fmt: skip
    fields = ("before", "after", "fooled", "queries", "stopped")
    return {name: getattr(result, name) for name in fields} | {"pixels": changed(view(target.image), result.image)}


def attack_targets(
    targets: Sequence[Target], pixels: int, settings: Settings, results: ResultsCache, pairs: Path
) -> dict[str, float]:
    """The metrics of one number of pixels; pictures before and after of the best attacks go to the folder `pairs`."""
    attacks = []
    for number, target in enumerate(tqdm(targets, desc=f"{pixels} pixels", disable=None)):
        compute = partial(search, target, pixels, settings, settings["seed"] + number)
        result = dict(results.get(f"{pixels} {number} {target.unit}", compute))
        candidate = np.array(result.pop("pixels"), float)
        attacks.append(Attack(paint(view(target.image), candidate), **result))
    for number in np.argsort([result.after - result.before for result in attacks])[:EXAMPLES]:
        pairs.mkdir(parents=True, exist_ok=True)
        view(targets[number].image).save(pairs / f"{number}-before.png")
        attacks[number].image.save(pairs / f"{number}-after.png")
    return summary(attacks, settings["candidates"])


def examples(study: Study, variant: str, settings: Settings, results: ResultsCache) -> list[dict[str, Any]]:
    """For each number of pixels the sample whose score sank most, with the changed pixels.

    Empty where the variant answers no sample right. Pictures of a data set may not be shown; the samples are our own, and
    count in no metric.
    """
    memes = samples()
    targets = {
        sample.file: target for sample, target in zip(memes, study.samples(variant, memes), strict=True) if target
    }
    entries = []
    for pixels in settings["pixels"] if targets else ():
        attacks = {
            file: results.get(
                f"sample {pixels} {target.unit}", partial(search, target, pixels, settings, settings["seed"])
            )
            for file, target in targets.items()
        }
        file, best = min(attacks.items(), key=lambda item: item[1]["after"] - item[1]["before"])
        entries.append(
            {
                "pixels": pixels,
                "file": file,
                "changed": best["pixels"],
                **{name: best[name] for name in ("before", "after", "fooled", "queries")},
                "samples": len(attacks),
                "samples_fooled": sum(result["fooled"] for result in attacks.values()),
            }
        )
    return entries
