"""What others reported, with where, and how far two labels of one meme agree: shown beside our figures.

Others' test rows are not ours, which the page says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

NEAR_COPIES = Path(__file__).parents[2] / "assets" / "near_copies.json"  # benchmarks/near_copies.py writes it


@dataclass(frozen=True)
class Published:
    """`figure` names what was reported; F1 of one class is not macro-F1."""

    task: str
    system: str
    figure: str
    value: float
    source: str


PUBLISHED = (
    Published("memotion-sentiment", "Best of SemEval 2020 task 8 A", "macro-F1", 0.355, "Sharma et al. 2020"),
    Published("memotion-types", "Best of SemEval 2020 task 8 B", "macro-F1", 0.518, "Sharma et al. 2020"),
    Published("memotion-intensity", "Best of SemEval 2020 task 8 C", "macro-F1", 0.322, "Sharma et al. 2020"),
    Published(
        "memotion-polarity", "ResNet50 + BERT ensemble, as reported", "macro-F1", 0.470,
        "Reported without a paper; as much as always answering positive gives",
    ),
    Published("stress", "BERT-base, fine-tuned", "F1 of stress", 0.807, "Turcan and McKeown 2019"),
    Published("harm", "MOMENTA on Harm-C", "macro-F1", 0.828, "Pramanick et al. 2021, Findings of EMNLP"),
    Published("text-emotions", "BERT-base on 28 labels", "macro-F1", 0.46, "Demszky et al. 2020"),
    Published("face-expressions", "Winner of the 2013 challenge", "accuracy", 0.712, "Goodfellow et al. 2013"),
    Published("face-expressions", "People", "accuracy", 0.65, "Goodfellow et al. 2013"),
    *(
        Published("joint_picture", "Fisher vectors with CCA", figure, value, "Klein et al. 2015")
        for figure, value in (
            ("Picture to caption, R@1 (%)", 22.6), ("Picture to caption, R@10 (%)", 61.2), ("Caption to picture, R@1 (%)", 19.1),
        )
    ),
)  # fmt: skip


def of(task: str) -> list[Published]:
    """Those of one task."""
    return [result for result in PUBLISHED if result.task == task]


def near_copies(task: str) -> dict[str, float]:
    """What the label of another copy of the same meme tells of a label, as measured; empty where nothing is known."""
    try:
        metrics: dict[str, float] = json.loads(NEAR_COPIES.read_text(encoding="utf-8")).get(task, {})
    except (OSError, ValueError):
        return {}
    return metrics


def known(task: str) -> bool:
    """Whether there is a result on this task to set beside ours."""
    return bool(of(task) or near_copies(task))
