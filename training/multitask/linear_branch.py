"""A linear path beside a system's network (Cheng et al. 2016, "Wide & Deep"), fitted in closed form before it.

Where labels are mostly noise, as Memotion's are, a strongly regularised linear model on the mean tokens ranks unseen
memes better than any network trained by gradients does; the network then learns what is left over, which may be
nothing. Ridge regression on the classes' indicators gives shares; they are turned into logits around the classes'
frequencies, so that the path stays one linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor, nn

from models import weights as weights_of
from models.classifiers.heads import Head
from models.evaluation_files import UNKNOWN
from training.backbones.token_modules import MeanToken
from training.multitask.datamodule import Prepared

AT_ONCE = 256
CONSTANT = 1e-4


class Wide(nn.Module):
    """Mean tokens of each side, standardised, through one layer; an absent side counts as the mean of all rows."""

    def __init__(self, widths: Mapping[str, int], outputs: int) -> None:
        super().__init__()
        self.sides = tuple(widths)
        self.mean = MeanToken()
        for side, width in widths.items():
            self.register_buffer(f"{side}_middle", torch.zeros(width))
            self.register_buffer(f"{side}_spread", torch.ones(width))
        self.layer = nn.Linear(sum(widths.values()), outputs).requires_grad_(False)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def features(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """(B, all widths)."""
        given, parts = {"image": (image, image_mask), "text": (text, text_mask)}, []
        for side in self.sides:
            token, there = self.mean(*given[side])  # (B, 1, width), (B, 1)
            middle, spread = self.get_buffer(f"{side}_middle"), self.get_buffer(f"{side}_spread")
            parts.append((token[:, 0] - middle) / spread * there)
        return torch.cat(parts, dim=-1)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        return self.layer(self.features(image, image_mask, text, text_mask))


@torch.no_grad()
def fit(
    wide: Wide,
    data: Prepared,
    rows: np.ndarray,
    heads: Sequence[Head],
    *,
    strength: float,
    weights: Mapping[str, float],
    tasks: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Fits the path in place on these rows. `weights` scale a side's features: the larger, the less it is shrunk.

    `tasks` scale parts of them once more for single tasks, down to 0 for what tells that task nothing: `image`, `text`,
    and of the text's two states `third` and `last`. `strength` there takes the place of all tasks' strength. `verdict`
    adds, as strong as the path itself when it is 1, what can be said from the words' hate and harm alone (`_attitude`).
    """
    for side in wide.sides:
        seen = rows[data.has_image[rows] if side == "image" else data.has_text[rows]]
        tokens = _mean_tokens(data, seen, side)
        scale = np.sqrt(tokens.shape[1]) / weights.get(side, 1.0)
        wide.get_buffer(f"{side}_middle").copy_(torch.from_numpy(tokens.mean(0)))
        spread = tokens.std(0)
        spread[spread < CONSTANT] = np.inf  # what never varies tells nothing, and would be all rounding error
        wide.get_buffer(f"{side}_spread").copy_(torch.from_numpy(spread * scale))
    features = _features(wide, data, rows)
    at, slopes, starts = 0, [], []
    for head in heads:
        for indicator, known in _indicators(head, data.target[rows][:, at : at + len(head.questions)]):
            share = indicator[known].mean().clip(1e-3, 1 - 1e-3)
            own = dict((tasks or {}).get(head.name, {}))
            held = own.pop("strength", strength)
            verdict = own.pop("verdict", 0.0)
            scale = _scale(wide, own)
            slope = scale * _ridge(features[known] * scale, indicator[known] - share, held)
            if verdict:
                slope = _beside(features[known], slope, _attitude(wide, features[known], indicator[known]), verdict)
            middle = features[known].mean(0)
            single = head.kind == "single"
            turn = 1 / share if single else 1 / (share * (1 - share))  # the logit's slope at the class's frequency
            slopes.append(slope * turn)
            starts.append((np.log(share) if single else np.log(share / (1 - share))) - middle @ slope * turn)
        at += len(head.questions)
    wide.layer.weight.copy_(torch.from_numpy(np.stack(slopes)).float())
    wide.layer.bias.copy_(torch.tensor(np.array(starts)).float())


def _attitude(wide: Wide, features: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Least squares on two numbers: how hateful and how harmful the linear paths of the verdict find the mean word piece.

    Of 768 features next to nothing is learned from noisy labels; these two were learned elsewhere, from good ones.
    """
    layer, spread = _verdict(), wide.get_buffer("text_spread").numpy()
    before = wide.sides[: wide.sides.index("text")]
    start = sum(len(wide.get_buffer(f"{side}_spread")) for side in before)
    ways = np.zeros((features.shape[1], len(layer)), np.float32)
    ways[start : start + len(spread)] = (layer * np.where(np.isfinite(spread), spread, 0.0)).T
    seen = features @ ways
    fitted = np.linalg.lstsq(seen - seen.mean(0), wanted - wanted.mean(), rcond=None)[0]
    found: np.ndarray = ways @ fitted
    return found


def _verdict() -> np.ndarray:
    """The layer of the verdict that reads mean word pieces: float32 [hate and harm, 768]."""
    with safe_open(weights_of.card("hate_cross_attention").folder / "model.safetensors", "numpy") as held:
        names = set(held.keys())
        key = "paths.words.weight" if "paths.words.weight" in names else "paths.layers.text.weight"
        found: np.ndarray = held.get_tensor(key).astype(np.float32)
    return found


def _beside(features: np.ndarray, slope: np.ndarray, other: np.ndarray, weight: float) -> np.ndarray:
    """The sum of what two slopes say once both are spread alike, spread as the first is."""
    own, others = (features @ slope).std(), (features @ other).std()
    if min(own, others) <= 0:
        return slope + other  # one of them says nothing
    both = slope / own + weight * other / others
    return both * own / (features @ both).std()


def _scale(wide: Wide, parts: Mapping[str, float]) -> np.ndarray:
    """A factor for each feature, float32 [all widths]."""
    found = []
    for side in wide.sides:
        one = np.full(len(wide.get_buffer(f"{side}_middle")), parts.get(side, 1.0), np.float32)
        if side == "text":
            half = len(one) // 2
            one[:half] *= parts.get("third", 1.0)
            one[half:] *= parts.get("last", 1.0)
        found.append(one)
    return np.concatenate(found)


def _ridge(features: np.ndarray, wanted: np.ndarray, strength: float) -> np.ndarray:
    centred = features - features.mean(0)
    gram = centred.T @ centred + strength * np.eye(centred.shape[1], dtype=centred.dtype)
    found: np.ndarray = np.linalg.solve(gram, centred.T @ wanted)
    return found


def _indicators(head: Head, target: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each logit what it says yes to, float32 [rows], and which rows are asked."""
    found = []
    for number, question in enumerate(head.questions):
        known, here = target[:, number] != UNKNOWN, target[:, number]
        if head.kind == "single":
            found += [((here == one).astype(np.float32), known) for one in range(len(question.classes))]
        else:  # ordinal: above each boundary; yes or no has one boundary
            found += [((here > one).astype(np.float32), known) for one in range(len(question.classes) - 1)]
    return found


def _features(wide: Wide, data: Prepared, rows: np.ndarray) -> np.ndarray:
    parts = []
    for start in range(0, len(rows), AT_ONCE):
        here = data.batch(rows[start : start + AT_ONCE])
        parts.append(wide.features(here["image"], here["image_mask"], here["text"], here["text_mask"]).numpy())
    return np.concatenate(parts)


def _mean_tokens(data: Prepared, rows: np.ndarray, side: str) -> np.ndarray:
    mean, parts = MeanToken(), []
    for start in range(0, len(rows), AT_ONCE):
        here = data.batch(rows[start : start + AT_ONCE])
        parts.append(mean(here[side], here[f"{side}_mask"])[0][:, 0].numpy())
    return np.concatenate(parts)
