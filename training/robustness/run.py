"""`python -m training robustness RECIPE…`: what a few pixels do to shipped models, and to models trained on them.

- Pixel attack (Su et al. 2019, `models/robustness/pixel_attack.py`) on validation rows that the variant answers right: the
  share that is fooled with its interval, the median change of the attacked score, the median number of pictures tried.
  A search that has not come a tenth of the way (`give_up`) after half of its tries is given up, which halves the time;
  `given_up` tells how many were.
- Poisoning (after Gu et al. 2019): a share of the training pictures gets a fixed trigger of pixels and another row's
  answer; a light model is fitted anew on the variant's frozen features, and measured on clean validation rows and on
  triggered ones.

Metrics go to `robustness.json` in the folder of weights that was attacked, where the pages read them, with an example pair
for each number of pixels on the project's own sample memes; pairs of the attacked rows as PNG files into `--out` (they are
pictures of a data set and stay out of the repository). The results so far lie there
too, row by row: the same command goes on from where a killed one stopped. `--variant` repeats some variants and leaves
the others as they are in the file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from models import evaluation_files, weights
from models.errors import BadInput
from training import config
from training.datasets.base import data_folder
from training.robustness.attacks import attack_targets, examples
from training.robustness.flickr8k import Flickr8k
from training.robustness.hate import Hate
from training.robustness.oasis import Oasis
from training.robustness.results_cache import ResultsCache
from training.robustness.targets import Settings, Study

STUDIES: dict[str, Callable[[Path, Settings, Path], Study]] = {"flickr8k": Flickr8k, "oasis": Oasis, "hate": Hate}
PUBLISHED = (
    "One pixel fools 68% of CIFAR-10's pictures (32x32) and 16% of ImageNet's (227x227), with 400 candidates a round and up "
    "to 100 rounds (Su et al. 2019)."
)
RUN_SETTINGS = ("rows", "pixels", "shares", "only", "threads")  # settings that do not change the result of one row


def run(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Attacks and poisons the variants of `args`, or all; returns the content of the file."""
    settings = config.read(name, args)
    for key in ("rows", "queries"):
        settings[key] = getattr(args, key, None) or settings[key]
    settings["threads"] = getattr(args, "threads", None) or 0
    out = Path(args.out) / name
    study = STUDIES[settings["task"]](data_folder(args.data), settings, out / "cache")
    variants = getattr(args, "variant", None) or study.variants
    unknown = [variant for variant in variants if variant not in study.variants]
    if unknown:
        raise BadInput(f"{name} has no variant {unknown[0]!r}: there are {', '.join(map(repr, study.variants))}.")
    folder = weights.root() / study.folder
    about = {
        "task": settings["task"],
        "what": study.what,
        "score": study.score,
        "rows": study.drawn,
        "published": PUBLISHED,
        "recipe": {key: value for key, value in settings.items() if key != "threads"},
    }
    report: dict[str, Any] = {}
    for variant in variants:
        own = settings | settings.get("only", {}).get(variant, {})
        identities = {card.name: card.identity for card in study.cards(variant)}
        stamp = {key: value for key, value in own.items() if key not in RUN_SETTINGS} | {"weights": identities}
        results = ResultsCache(out / f"{variant.replace(' ', '_')}.jsonl", stamp)
        targets = study.targets(variant)
        attacks = []
        for pixels in own["pixels"]:
            pairs = out / f"{variant}-{pixels}".replace(" ", "_")
            attacks.append({"pixels": pixels, **attack_targets(targets, pixels, own, results, pairs)})
        pairs_of_samples = examples(study, variant, own, results)
        poisoning = [results.get(f"poison {share}", partial(study.poisoned, variant, share)) for share in own["shares"]]
        report = _stored(folder, study.variants) | about  # anew: another variant may have been measured meanwhile
        parts = {"attack": attacks, "examples": pairs_of_samples, "poisoning": poisoning, "weights": identities}
        for part, values in parts.items():
            report[part][variant] = values
        evaluation_files.write_json(
            folder, evaluation_files.ROBUSTNESS, report
        )  # after each: a long run may be cut short
    return report


def _stored(folder: Path, variants: Sequence[str]) -> dict[str, Any]:
    """What the file says of the variants that still exist, in their order."""
    try:
        stored = evaluation_files.read_json(folder, evaluation_files.ROBUSTNESS)
    except (OSError, ValueError):
        stored = {}
    parts = {part: stored.get(part, {}) for part in ("weights", "attack", "examples", "poisoning")}
    return {name: {variant: part[variant] for variant in variants if variant in part} for name, part in parts.items()}
