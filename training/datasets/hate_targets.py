"""`hate_targets`: whom a sentence speaks of, and what kind of hate it is (hatemoji_build, multitarget_conan, dialoconan).

The file is English and has few rows of small groups. For the model of the lenses, our own templates in eleven languages are
added to both splits (`counterfactuals`), some names each.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from models.classifiers.targets import KINDS, TARGETS
from training.datasets import counterfactuals
from training.datasets.base import Dataset, LoadResult, Row

NAMES = {
    "women": "women", "gay people": "gay_people", "LGBT+": "gay_people", "trans people": "trans_people",
    "Black people": "black_people", "Muslims": "muslims", "Jews": "jews", "immigrants": "immigrants",
    "disabled people": "disabled_people", "Asian people": "asian_people", "Arabs": "arabs",
    "Roma and Travellers": "roma", "Latino people": "latino_people", "Indigenous people": "indigenous_people",
    "Hindus and Sikhs": "hindus_sikhs", "other": "other",
}  # fmt: skip
"""The data set's names of groups, and ours."""
OUR_NAMES = {ours: name for name, ours in NAMES.items() if name != "LGBT+"}
NOBODY = "nobody"  # in place of a name: it is known that no group is spoken of
KIND_NAMES = {"dehumanizinglanguage": "dehumanizing", "threateninglanguage": "threat"}
NO_KIND, UNKNOWN = "none", "unknown"
TEMPLATE_NAMES = 3  # with how many names a template is filled
NAMES_NOBODY = ("hostile_to_others", "plain", "homonym")  # forms of templates that speak of none of the groups


def known_targets(names: Sequence[str]) -> list[float]:
    """1, 0 or NaN (unknown) for each of `TARGETS`; `KeyError` for a name that the data set does not have.

    No name at all: unknown. `LGBT+` says nothing about trans people.
    """
    spoken_of = {NAMES[name] for name in names if name != NOBODY}
    targets = [float(name in spoken_of) if len(names) else np.nan for name in TARGETS]
    if "LGBT+" in names and "trans_people" not in spoken_of:
        targets[TARGETS.index("trans_people")] = np.nan
    return targets


def known_kinds(label: object, kind: str) -> list[float]:
    """1, 0 or NaN (unknown) for each of `KINDS`; a sentence without hate (label 0) is of none."""
    if kind == UNKNOWN:
        return [np.nan] * len(KINDS)
    return [float(label == 1 and KIND_NAMES.get(kind, kind) == name) for name in KINDS]


def read_targets(folder: Path, split: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Each text with 1, 0 or NaN (unknown) for each of `TARGETS` and then of `KINDS`.

    Rows without hate name no targets in hatemoji_build, though they may speak of a group: theirs are unknown.
    """
    frame = pd.read_parquet(folder / f"hate_targets.{split}.parquet")
    for text, label, names, kind in zip(frame.text, frame.label, frame.targets, frame.kind, strict=True):
        yield text, (*known_targets(names), *known_kinds(label, kind))


class HateTargets(Dataset):
    """The rows of the file, then our own templates."""

    def load(self, split: str, folder: str | Path | None = None) -> LoadResult:
        """Rows of a split, and no problems; templates of one language and form are one group."""
        rows, problems = super().load(split, folder)
        return [*rows, *template_rows(split)], problems


def template_rows(split: str) -> list[Row]:
    """The filled templates of a split as rows. The kind of a hateful one is unknown.

    Slogans and their like that name no group of the file may still speak of one ("Black lives matter"): unknown too.
    """
    return [
        Row(
            source="templates",
            id=f"template-{number}",
            text=sentence.text,
            label=sentence.label,
            group=f"{sentence.language} {sentence.form}",
            details={
                "targets": _named(sentence),
                "kind": UNKNOWN if sentence.label else NO_KIND,
                "source_set": "templates",
            },
        )
        for number, sentence in enumerate(counterfactuals.sentences(split, names=TEMPLATE_NAMES))
    ]


def _named(sentence: counterfactuals.Sentence) -> list[str]:
    if sentence.target:
        return [OUR_NAMES[sentence.target]]
    return [NOBODY] if sentence.form in NAMES_NOBODY else []


HATE_TARGETS = HateTargets(
    "hate_targets", required=("text", "label", "targets", "kind"), details=("targets", "kind", "source_set")
)
