"""`python -m training robustness NAME…`: what a few pixels do to shipped models, and to models trained on them.

- Pixel attack (Su et al. 2019, `models/robustness/pixel_attack.py`) on validation rows that the variant answers right: the
  fraction that is fooled with its interval, the median change of the attacked score, the median number of pictures tried.
  A search that has not come a tenth of the way (`give_up`) after half of its tries is given up, which halves the time;
  `given_up` tells how many were.
- Poisoning (after Gu et al. 2019): a fraction of the training pictures gets a fixed trigger of pixels and another row's
  answer; a light model is fitted anew on the variant's frozen features, and measured on clean validation rows and on
  triggered ones.

Metrics go to `robustness.json` in the folder of weights that was attacked, where the pages read them, with an example pair
for each number of pixels on the project's own sample memes; pairs of the attacked rows as PNG files into `--out` (they are
pictures of a data set and stay out of the repository). The results so far lie there too, row by row: the same command goes
on from where a killed one stopped. `--variant` repeats some variants and leaves the others as they are in the file.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from models import evaluation_files, weights
from models.errors import BadInput
from training.config import load_config
from training.datasets.base import data_folder
from training.robustness.attacks import ResultsCache, attack_targets, examples
from training.robustness.base import RobustnessConfig, Study
from training.robustness.flickr8k import Flickr8k
from training.robustness.hate import Hate
from training.robustness.oasis import Oasis

STUDIES: dict[str, type[Study]] = {"flickr8k": Flickr8k, "oasis": Oasis, "hate": Hate}
PUBLISHED = (
    "One pixel fools 68% of CIFAR-10's pictures (32x32) and 16% of ImageNet's (227x227), with 400 candidates a round and up "
    "to 100 rounds (Su et al. 2019)."
)
RUN_SETTINGS = ("rows", "pixels", "shares", "only", "threads")  # settings that do not change the result of one row


def run(name: str, args: argparse.Namespace) -> dict[str, Any]:
    """Attacks and poisons the variants of `args`, or all; returns the content of the file."""
    overrides = {key: getattr(args, key, None) for key in ("rows", "queries", "threads")}
    settings = load_config(name, RobustnessConfig, overrides)
    out = Path(args.out) / name
    study = STUDIES[settings.task](data_folder(args.data), settings, out / "cache")
    variants = getattr(args, "variant", None) or study.variants
    unknown = [variant for variant in variants if variant not in study.variants]
    if unknown:
        raise BadInput(f"{name} has no variant {unknown[0]!r}: there are {', '.join(map(repr, study.variants))}.")
    folder = weights.root() / study.folder
    about = {
        "task": settings.task,
        "what": study.what,
        "score": study.score,
        "rows": study.drawn,
        "published": PUBLISHED,
        "recipe": _recorded(settings, ("threads",)),
    }
    report: dict[str, Any] = {}
    for variant in variants:
        own = replace(settings, **settings.only.get(variant, {}))  # type: ignore[arg-type]  # names of its fields
        identities = {card.name: card.identity for card in study.cards(variant)}
        stamp = _recorded(own, RUN_SETTINGS) | {"weights": identities}
        results = ResultsCache(out / f"{variant.replace(' ', '_')}.jsonl", stamp)
        targets = study.targets(variant)
        attacks = []
        for pixels in own.pixels:
            pairs = out / f"{variant}-{pixels}".replace(" ", "_")
            attacks.append({"pixels": pixels, **attack_targets(targets, pixels, own, results, pairs)})
        entries = {
            "attack": attacks,
            "examples": examples(study, variant, own, results),
            "poisoning": [
                results.get(f"poison {fraction}", partial(study.poisoned, variant, fraction)) for fraction in own.shares
            ],
            "weights": identities,
        }
        report = _stored(folder, study.variants) | about  # anew: another variant may have been measured meanwhile
        for entry, value in entries.items():
            report[entry][variant] = value
        # after each variant: a long run may be cut short
        evaluation_files.write_json(folder, evaluation_files.ROBUSTNESS, report)
    return report


def _recorded(settings: RobustnessConfig, without: Sequence[str]) -> dict[str, Any]:
    """The settings that are in use, as JSON has them."""
    values = json.loads(json.dumps(asdict(settings)))
    return {name: value for name, value in values.items() if name not in without and value not in (None, {})}


def _stored(folder: Path, variants: Sequence[str]) -> dict[str, Any]:
    """What the file says of the variants that still exist, in their order."""
    try:
        stored = evaluation_files.read_json(folder, evaluation_files.ROBUSTNESS)
    except (OSError, ValueError):
        stored = {}
    return {
        entry: {variant: stored[entry][variant] for variant in variants if variant in stored.get(entry, {})}
        for entry in ("weights", "attack", "examples", "poisoning")
    }
