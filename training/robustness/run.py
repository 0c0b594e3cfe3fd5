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
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from models import evaluation_files, weights
from models.errors import BadInput
from models.io.samples import samples
from models.robustness.pixel_attack import Attack, attack, changed, paint, view
from training.config import load_config
from training.datasets.base import data_folder
from training.robustness.base import RobustnessConfig, Study, Target, fraction_entry, median_entry
from training.robustness.flickr8k import Flickr8k
from training.robustness.hate import Hate
from training.robustness.oasis import Oasis

STUDIES: dict[str, type[Study]] = {"flickr8k": Flickr8k, "oasis": Oasis, "hate": Hate}
PUBLISHED = (
    "One pixel fools 68% of CIFAR-10's pictures (32x32) and 16% of ImageNet's (227x227), with 400 candidates a round and up "
    "to 100 rounds (Su et al. 2019)."
)
RUN_SETTINGS = ("rows", "pixels", "shares", "only", "threads")  # settings that do not change the result of one row
EXAMPLES = 3  # pairs of pictures that are saved for each variant and number of pixels
Result = dict[str, Any]


class ResultsCache:
    """Results by key in a file of JSON lines, so that a run that was killed goes on from where it stopped.

    Results under another `stamp` (settings, weights) are discarded.
    """

    def __init__(self, path: Path, stamp: Result) -> None:
        self._path = path
        entries: list[Result] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            with suppress(ValueError):  # half a line from a killed run
                entries.append(json.loads(line))
        same = entries[:1] == [{"stamp": stamp}]
        self._results = {entry["key"]: entry["found"] for entry in entries[1:]} if same else {}
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written anew, so that half a line from a killed run does not swallow the next one.
        path.unlink(missing_ok=True)
        self._append({"stamp": stamp})
        for key, result in self._results.items():
            self._append({"key": key, "found": result})

    def get(self, key: str, compute: Callable[[], Result]) -> Result:
        """The stored result under `key`, else what `compute` gives, which is stored."""
        if key not in self._results:
            self._results[key] = compute()
            self._append({"key": key, "found": self._results[key]})
        return self._results[key]

    def _append(self, entry: Result) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def search(target: Target, pixels: int, settings: RobustnessConfig, seed: int) -> Result:
    """The fields of an `Attack`, with the changed pixels as [x, y, red, green, blue] in place of the picture.

    The search is given up if after half of its queries the score has not sunk by the fraction `give_up`.
    """

    def hopeless(best: Attack) -> bool:
        return best.queries > settings.queries / 2 and best.before - best.after < settings.give_up * best.before

    result = attack(
        target.image, target.score, pixels=pixels, queries=settings.queries, candidates=settings.candidates, seed=seed,
        on_round=hopeless,
    )  # fmt: skip
    fields = ("before", "after", "fooled", "queries", "stopped")
    return {name: getattr(result, name) for name in fields} | {"pixels": changed(view(target.image), result.image)}


def attack_targets(
    targets: Sequence[Target], pixels: int, settings: RobustnessConfig, results: ResultsCache, pairs: Path
) -> dict[str, float]:
    """The metrics of one number of pixels; pictures before and after of the best attacks go to the folder `pairs`."""
    attacks = []
    for number, target in enumerate(tqdm(targets, desc=f"{pixels} pixels", disable=None)):
        compute = partial(search, target, pixels, settings, settings.seed + number)
        result = dict(results.get(f"{pixels} {number} {target.unit}", compute))
        candidate = np.array(result.pop("pixels"), float)
        attacks.append(Attack(paint(view(target.image), candidate), **result))
    for number in np.argsort([result.after - result.before for result in attacks])[:EXAMPLES]:
        pairs.mkdir(parents=True, exist_ok=True)
        view(targets[number].image).save(pairs / f"{number}-before.png")
        attacks[number].image.save(pairs / f"{number}-after.png")
    return summary(attacks, settings.candidates)


def summary(attacks: Sequence[Attack], candidates: int) -> dict[str, float]:
    """Over the rows attacked. `random_rate`: fooled by one of the first `candidates` tries, which are drawn by chance.

    That is the baseline: what the evolution adds is the rest. Fractions have Wilson's interval (Wilson 1927), medians a
    bootstrap one.
    """
    return {
        "rows": len(attacks),
        **fraction_entry("success_rate", [result.fooled for result in attacks]),
        "given_up": sum(result.stopped for result in attacks),
        **fraction_entry("random_rate", [result.fooled and result.queries <= candidates + 1 for result in attacks]),
        **median_entry("median_change", np.array([result.after - result.before for result in attacks])),
        **median_entry("median_queries", np.array([result.queries for result in attacks], float)),
    }


def examples(study: Study, variant: str, settings: RobustnessConfig, results: ResultsCache) -> list[Result]:
    """For each number of pixels the sample whose score sank most, with the changed pixels.

    Empty where the variant answers no sample right. Pictures of a data set may not be shown; the samples are our own, and
    count in no metric.
    """
    memes = samples()
    targets = {
        sample.file.name: target for sample, target in zip(memes, study.samples(variant, memes), strict=True) if target
    }
    entries = []
    for pixels in settings.pixels if targets else ():
        attacks = {
            file: results.get(
                f"sample {pixels} {target.unit}", partial(search, target, pixels, settings, settings.seed)
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
