"""`python -m training robustness RECIPE…`: what a few pixels do to shipped models, and to models trained on them.

- Pixel attack (Su et al. 2019, `models/robustness/pixel_attack.py`) on validation rows that the variant answers right: the
  share that is fooled with its interval, the median change of the attacked score, the median number of pictures tried.
  A search that has not come a tenth of the way (`give_up`) after half of its tries is given up, which halves the time;
  `given_up` tells how many were.
- Poisoning (after Gu et al. 2019): a share of the training pictures gets a fixed trigger of pixels and another row's
  answer; a light model is fitted anew on the variant's frozen features, and measured on clean validation rows and on
  triggered ones.

Figures go to `robustness.json` in the folder of weights that was attacked, where the pages read them, with an example pair
for each number of pixels on the project's own sample memes; pairs of the attacked rows as PNG files into `--out` (they are
pictures of a data set and stay out of the repository). There too lies what was found so
far, row by row: the same command goes on where a killed one stopped. `--variant` does some variants anew and leaves what
the file says of the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from models import evaluation_files, weights
from models.errors import BadInput
from models.robustness.pixel_attack import Attack, paint, view
from training import config
from training.datasets.base import data_folder
from training.robustness import registry, samples, search
from training.robustness.metrics import summary
from training.robustness.results_cache import Kept
from training.robustness.targets import Settings, Target

EXAMPLES = 3  # pairs kept of each variant and number of pixels
PUBLISHED = (
    "One pixel fools 68% of CIFAR-10's pictures (32x32) and 16% of ImageNet's (227x227), with 400 candidates a round and up "
    "to 100 rounds (Su et al. 2019)."
)
OF_ROWS = ("rows", "pixels", "shares", "only", "threads")  # settings that do not change what is found of one row


def run(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Attacks and poisons the variants asked for; returns what the file holds."""
    settings = config.read(name, args)
    for key in ("rows", "queries"):
        settings[key] = getattr(args, key, None) or settings[key]
    settings["threads"] = getattr(args, "threads", None) or 0
    out = Path(args.out) / name
    task = registry.TASKS[settings["task"]](data_folder(args.data), settings, out / "cache")
    wanted = getattr(args, "variant", None) or task.variants
    unknown = [variant for variant in wanted if variant not in task.variants]
    if unknown:
        raise BadInput(f"{name} has no variant {unknown[0]!r}: there are {', '.join(map(repr, task.variants))}.")
    folder = weights.root() / task.folder
    about = {
        "task": settings["task"],
        "what": task.what,
        "score": task.score,
        "rows": task.drawn,
        "published": PUBLISHED,
        "recipe": {key: value for key, value in settings.items() if key != "threads"},
    }
    report: dict[str, Any] = _before(folder, task.variants) | about
    for variant in wanted:
        own = settings | settings.get("only", {}).get(variant, {})
        made_by = {card.name: card.identity for card in task.cards(variant)}
        stamp = {key: value for key, value in own.items() if key not in OF_ROWS} | {"weights": made_by}
        kept = Kept(out / f"{variant.replace(' ', '_')}.jsonl", stamp)
        targets = task.targets(variant)
        attacks = []
        for pixels in own["pixels"]:
            pairs = out / f"{variant}-{pixels}".replace(" ", "_")
            attacks.append({"pixels": pixels, **assault(targets, pixels, own, kept, pairs)})
        examples = samples.examples(task, variant, own, kept)
        poisoning = [kept.get(f"poison {share}", partial(task.poisoned, variant, share)) for share in own["shares"]]
        report = _before(folder, task.variants) | about  # anew: another variant may have been measured meanwhile
        parts = {"attack": attacks, "examples": examples, "poisoning": poisoning, "weights": made_by}
        for part, found in parts.items():
            report[part][variant] = found
        evaluation_files.write_json(
            folder, evaluation_files.ROBUSTNESS, report
        )  # after each: a long run may be cut short
    return report


def assault(targets: Sequence[Target], pixels: int, settings: Settings, kept: Kept, pairs: Path) -> dict[str, float]:
    """The figures of one number of pixels; pictures before and after go to `pairs`."""
    done = []
    for number, target in enumerate(tqdm(targets, desc=f"{pixels} pixels", disable=None)):
        find = partial(search.search, target, pixels, settings, settings["seed"] + number)
        told = dict(kept.get(f"{pixels} {number} {target.unit}", find))
        changed = np.array(told.pop("pixels"), float)
        done.append(Attack(paint(view(target.image), changed), **told))
    for number in np.argsort([found.after - found.before for found in done])[:EXAMPLES]:
        pairs.mkdir(parents=True, exist_ok=True)
        view(targets[number].image).save(pairs / f"{number}-before.png")
        done[number].image.save(pairs / f"{number}-after.png")
    return summary(done, settings["candidates"])


def _before(folder: Path, variants: Sequence[str]) -> dict[str, Any]:
    """What the file says of variants that there still are, in their order."""
    try:
        held = evaluation_files.read_json(folder, evaluation_files.ROBUSTNESS)
    except (OSError, ValueError):
        held = {}
    parts = {part: held.get(part, {}) for part in ("weights", "attack", "examples", "poisoning")}
    return {name: {one: part[one] for one in variants if one in part} for name, part in parts.items()}
