"""Example pairs that may be shown to everybody: the attack on the project's own sample memes (`assets/gallery`).

Pictures of a data set may not be shown. These few were made and chosen by us, so they illustrate and are in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from PIL import Image

from models.io import samples as gallery
from models.io.images import open_picture
from training.robustness.results_cache import Kept
from training.robustness.search import search
from training.robustness.targets import Settings

if TYPE_CHECKING:
    from training.robustness.registry import Task


@dataclass(frozen=True)
class Sample:
    """A sample meme: the name of its file, its picture, its words, and what is to be seen in it."""

    file: str
    image: Image.Image
    words: str
    alt: str


def samples() -> list[Sample]:
    """The samples with a picture to attack, in the order of the list."""
    return [
        Sample(one.file.name, open_picture(one.file.read_bytes()).image, one.caption, one.alt)
        for one in gallery.samples()
    ]


def examples(
    task: Task, variant: str, settings: Settings, kept: Kept, shown: Sequence[Sample] | None = None
) -> list[dict[str, Any]]:
    """For each number of pixels the sample whose score sank most, with the pixels that did it; none where no sample is
    answered right."""
    shown = samples() if shown is None else shown
    targets = {
        sample.file: target for sample, target in zip(shown, task.samples(variant, shown), strict=True) if target
    }
    found = []
    for pixels in settings["pixels"] if targets else ():
        done = {
            file: kept.get(
                f"sample {pixels} {target.unit}", partial(search, target, pixels, settings, settings["seed"])
            )
            for file, target in targets.items()
        }
        file = min(done, key=lambda one: done[one]["after"] - done[one]["before"])
        told = done[file]
        found.append(
            {
                "pixels": pixels,
                "file": file,
                "changed": told["pixels"],
                **{name: told[name] for name in ("before", "after", "fooled", "queries")},
                "samples": len(done),
                "samples_fooled": sum(one["fooled"] for one in done.values()),
            }
        )
    return found
