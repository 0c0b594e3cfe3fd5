"""One search of the pixel attack for the study: given up where it gets nowhere, and told in numbers that a file can hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from models.robustness.pixel_attack import attack, changed, view
from training.robustness.targets import Settings, Target


def search(target: Target, pixels: int, settings: Settings, seed: int) -> dict[str, Any]:
    """What `Attack` holds, with the changed pixels as [x, y, red, green, blue] in place of the picture."""
    best: list[float] = []  # the untouched picture's score, then the best after each generation

    def score(images: Sequence[Image.Image]) -> np.ndarray:
        found = np.asarray(target.score(images), float)
        best.append(min([*best, float(found.min())]))
        return found

    def hopeless() -> bool:
        half = 1 + (len(best) - 1) * settings["candidates"] > settings["queries"] / 2
        return half and best[0] - best[-1] < settings["give_up"] * best[0]

    found = attack(
        target.image, score, pixels=pixels, queries=settings["queries"], candidates=settings["candidates"], seed=seed,
        on_round=lambda _: hopeless(),
    )  # fmt: skip
    return {
        "before": found.before,
        "after": found.after,
        "fooled": found.fooled,
        "queries": found.queries,
        "stopped": found.stopped,
        "pixels": changed(view(target.image), found.image),
    }
