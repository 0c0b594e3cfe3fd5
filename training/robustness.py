"""`python -m training robustness RECIPE…`: what a few pixels do to shipped models, and to models trained on them.

- Pixel attack (Su et al. 2019, `models/robustness/pixel_attack.py`) on validation rows that the variant answers right: the
  share that is fooled with its interval, the median change of the attacked score, the median number of pictures tried.
- Poisoning (Gu et al. 2019): a share of the training pictures gets a fixed trigger of pixels and another row's answer; a
  light model is fitted anew on the variant's frozen features, and measured on clean validation rows and on triggered ones.

Figures go to `robustness.json` in the folder of weights that was attacked, where the pages read them; example pairs as
PNG files into `--out` (they are pictures of a data set and stay out of the repository).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from models import weights
from models.robustness.pixel_attack import Attack, attack
from training import recipe, robustness_tasks
from training.datasets.folder import data_folder

FILE = "robustness.json"
EXAMPLES = 3  # pairs kept of each variant and number of pixels
PUBLISHED = "One pixel fools 68% of CIFAR-10's pictures and 16% of ImageNet's (Su et al. 2019)."


@dataclass(frozen=True)
class Target:
    """A row to attack: `score` is above 0 while the answer stands and sinks with the attack; `unit` names it."""

    image: Image.Image
    score: Callable[[Sequence[Image.Image]], np.ndarray]


def run(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Attacks and poisons every variant of one recipe; returns what the file holds."""
    settings = recipe.read(name, args)
    for key in ("rows", "queries"):
        settings[key] = getattr(args, key, None) or settings[key]
    out = Path(args.out) / name
    out.mkdir(parents=True, exist_ok=True)
    task = robustness_tasks.TASKS[settings["task"]](data_folder(args.data), settings, out / "cache")
    report: dict[str, Any] = {
        "task": settings["task"],
        "what": task.what,
        "rows": f"{settings['rows']} validation rows that the variant answers right, drawn by a seed",
        "published": PUBLISHED,
        "recipe": settings,
        "attack": {},
        "poisoning": {},
    }
    for variant in task.variants:
        targets = task.targets(variant)
        report["attack"][variant] = [
            {"pixels": pixels, **assault(targets, pixels, settings, out / f"{variant}-{pixels}".replace(" ", "_"))}
            for pixels in settings["pixels"]
        ]
        report["poisoning"][variant] = [task.poisoned(variant, share) for share in settings["shares"]]
    folder = weights.root() / task.folder
    (folder / FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def assault(targets: Sequence[Target], pixels: int, settings: dict[str, Any], examples: Path) -> dict[str, float]:
    """The figures of one number of pixels; pairs of pictures before and after go to `examples`."""
    done: list[Attack] = []
    for number, target in enumerate(tqdm(targets, desc=f"{pixels} pixels", disable=None)):
        found = attack(
            target.image, target.score, pixels=pixels, queries=settings["queries"], candidates=settings["candidates"],
            seed=settings["seed"] + number,
        )  # fmt: skip
        done.append(found)
    for number in np.argsort([found.after - found.before for found in done])[:EXAMPLES]:
        examples.mkdir(parents=True, exist_ok=True)
        targets[number].image.save(examples / f"{number}-before.png")
        done[number].image.save(examples / f"{number}-after.png")
    return summary(done)


def summary(done: Sequence[Attack]) -> dict[str, float]:
    """Success rate with Wilson's 95% interval (Wilson 1927), and medians over the rows attacked."""
    count, fooled = len(done), sum(found.fooled for found in done)
    low, high = wilson(fooled, count)
    return {
        "rows": count,
        "success_rate": fooled / count if count else float("nan"),
        "success_rate_low": low,
        "success_rate_high": high,
        "median_change": float(np.median([found.after - found.before for found in done])) if count else float("nan"),
        "median_queries": float(np.median([found.queries for found in done])) if count else float("nan"),
    }


def wilson(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share; (0, 1) where nothing was counted. It holds for shares of 0 and 1 too."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def trigger(image: Image.Image, pixels: int, seed: int = 0) -> Image.Image:
    """The picture at 224x224 with the same few bright pixels in the same places, whatever it shows."""
    rng = np.random.default_rng(seed)
    data = np.array(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    for x, y in rng.integers(0, 224, size=(pixels, 2)):
        data[y, x] = (255, 0, 255)
    return Image.fromarray(data)
