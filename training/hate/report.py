"""Calibration, bands and the folder of `hate_cross_attention`: what follows once its networks are trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import Tensor, nn

from models import evaluation_files, weights
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.datasets.counterfactuals import sentences as counterfactual_sentences
from training.engine.curves import Curve
from training.engine.linear_branch import LinearBranch
from training.export import weights_folder
from training.hate import linear_branch
from training.hate.data import HARM, HATE, HEADS, Data, folds
from training.hate.train import predict
from training.metrics import classification

INPUTS = ("image", "image_mask", "text", "text_mask")
OUTPUTS = ("logits", "words_to_regions", "regions_to_words")
HEAD_OF = {"religious_hateful": "hate", "harmeme": "harm"}  # the two sets of memes
KINDLY = ("kind", "neutral")  # forms that name a group and say nothing against it
FALSE_ALARMS = 0.10  # at most this share of them, of held-out templates, may be shown as hateful,
PLAIN_ALARMS = 0.05  # and of all validation sentences without hate at most this share
MISSED = 0.10  # at most this share of hateful sentences may be shown as not hateful


class Together(nn.Module):
    """Networks that answer as one: the mean of their logits and of their attention, and the linear paths beside them."""

    def __init__(self, nets: Sequence[CrossAttention], paths: LinearBranch) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.paths = paths
        self.settings: CrossAttentionSettings = nets[0].settings

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]:
        answers = [net(image, image_mask, text, text_mask) for net in self.nets]
        logits, *attention = (torch.stack(part).mean(0) for part in zip(*answers, strict=True))
        return logits + self.paths(image, image_mask, text, text_mask), *attention


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (Platt 1999): probability = sigmoid(scale * logit + offset)."""

    scale: float
    offset: float

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(self.scale * logits + self.offset)))


def calibrate(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> Calibration:
    """From (logits, labels) of several sources; each source weighs as much as any other, and so do both labels."""
    logits = np.concatenate([part for part, _ in parts])[:, None]
    labels = np.concatenate([label for _, label in parts])
    weight = np.concatenate([np.full(len(label), 1 / len(label)) for _, label in parts])
    weight = weight / np.where(labels == 1, weight[labels == 1].sum(), weight[labels == 0].sum())
    fitted = LogisticRegression(C=1e4).fit(logits, labels, sample_weight=weight * len(labels))
    return Calibration(round(float(fitted.coef_[0, 0]), 4), round(float(fitted.intercept_[0]), 4))


def validation_parts(net: nn.Module, held_out: Data, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(logits, labels) of the head each source belongs to, on validation rows; `beside` sets sentences by photographs."""
    rng = np.random.default_rng(seed)
    rows = dict(held_out.rows)
    rows["beside"] = replace(rows["sentences"], picture=rng.choice(held_out.photographs, len(rows["sentences"])))
    return {
        name: (predict(net, held_out, part)[:, HARM if name == "harmeme" else HATE], part.label)
        for name, part in rows.items()
    }


def choose_bands(parts: dict[str, tuple[np.ndarray, np.ndarray]], calibration: Calibration) -> dict[str, float]:
    """Where the two thresholds lie so that FALSE_ALARMS, PLAIN_ALARMS and MISSED are kept on validation rows."""
    kindly = np.array([sentence.form in KINDLY for sentence in counterfactual_sentences("validation")])
    logits = parts["counterfactuals"][0]
    sentences, labels = parts["sentences"]
    alarms = np.quantile(calibration(logits[kindly[: len(logits)]]), 1 - FALSE_ALARMS)
    plain = np.quantile(calibration(sentences[labels == 0]), 1 - PLAIN_ALARMS)
    review_from = min(0.45, float(np.quantile(calibration(sentences[labels == 1]), MISSED)))
    hateful_from = min(0.95, max(0.55, float(alarms), float(plain)))
    return {"review_from": round(review_from, 3), "hateful_from": round(hateful_from, 3)}


def choose_threshold(parts: Sequence[tuple[np.ndarray, np.ndarray]], calibration: Calibration) -> float:
    """The threshold with the best macro-F1, a mean over the sources."""
    grid = np.arange(0.2, 0.801, 0.01)

    def score(threshold: float) -> float:
        return float(
            np.mean([f1_score(labels, calibration(logits) >= threshold, average="macro") for logits, labels in parts])
        )

    return round(float(max(grid, key=score)), 2)


def paths_out_of_fold(data: Data, recipe: dict[str, Any]) -> dict[str, np.ndarray]:
    """What the linear paths add, out of fold, to the logits of each set of memes."""
    groups = [data.rows[name].group for name in HEAD_OF]
    added = {name: np.zeros(len(data.rows[name]), np.float32) for name in HEAD_OF}
    for name, part in zip(HEAD_OF, folds(groups, recipe["folds"], recipe["seed"]), strict=True):
        for path in (linear_branch.Path(**settings) for settings in recipe["paths"]):
            if path.head == HEAD_OF[name]:
                added[name] += linear_branch.out_of_fold(data, path, np.asarray(part), name)
    return added


def save(
    nets: Sequence[CrossAttention],
    recipe: dict[str, Any],
    data: Data,
    held_out: Data,
    out_of_fold: dict,
    curves: Sequence[Curve] = (),
) -> None:
    """Writes `weights/hate_cross_attention`; `curves` are the folds'."""
    settings = nets[0].settings
    paths = linear_branch.fit(
        data,
        [linear_branch.Path(**path) for path in recipe["paths"]],
        image_width=settings.image_width,
        text_width=settings.text_width,
    )
    added, alone = paths_out_of_fold(data, recipe), out_of_fold
    out_of_fold = {name: logits + added[name] for name, logits in alone.items()}
    together = Together(nets, paths).eval()
    parts = validation_parts(together, held_out, recipe["seed"])
    clear = [parts[name] for name in ("sentences", "beside", "counterfactuals")]
    spoken = [*clear, parts["religious_hateful"]]  # whose labels are noisy: good for calibrating, not for a threshold
    harm_parts = [parts["harmeme"], (out_of_fold["harmeme"], data.rows["harmeme"].label)]
    calibrations = {"hate": calibrate(spoken), "harm": calibrate(harm_parts)}
    thresholds = {
        "hate": choose_threshold(clear, calibrations["hate"]),
        "harm": choose_threshold(harm_parts, calibrations["harm"]),
    }

    def figures_of(head: str, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        chances = calibrations[head](logits).tolist()
        return {"rows": len(labels), **classification.binary(labels.tolist(), chances, threshold=thresholds[head])}

    heads = {name: "harm" if name == "harmeme" else "hate" for name in parts}
    figures = {f"validation, {name}": figures_of(heads[name], *part) for name, part in parts.items()}
    for name, logits in out_of_fold.items():
        figures[f"out of fold, {name}"] = figures_of(heads[name], logits, data.rows[name].label)
    without = {
        f"out of fold, {name}": figures_of(heads[name], logits, data.rows[name].label) for name, logits in alone.items()
    }
    told = figures | {f"{on} without the linear paths": row for on, row in without.items()}
    folder = weights_folder.write(
        "hate_cross_attention",
        config={
            "kind": f"co-attention over mini tokens, {len(nets)} networks of a cross-validation by group together",
            "labels": list(HEADS),
            "architecture": asdict(nets[0].settings) | {"networks": len(nets)},
            "encoder": {
                name: weights.card(name).identity for name in ("mini_picture", "mini_words", "mini_vocabulary")
            },
            "calibration": {head: asdict(calibration) for head, calibration in calibrations.items()},
            "thresholds": thresholds,
            "bands": choose_bands(parts, calibrations["hate"]),
            "recipe": json.loads(json.dumps(recipe)),
        },
        metrics=figures,
        readme=CARD.format(
            table=_table(told), networks=len(nets), alarms=FALSE_ALARMS, plain=PLAIN_ALARMS, missed=MISSED
        ),
        graph=_graph(together),
    )
    ablated = [{"name": "without the linear paths", "figures": without}]
    evaluation_files.update_evaluation(folder, curves=list(curves), ablations=ablated)


def _graph(together: Together | CrossAttention) -> Any:
    settings = together.settings
    image, text = torch.randn(2, 49, settings.image_width), torch.randn(2, 9, settings.text_width)
    masks = torch.ones(2, 49, dtype=torch.bool), torch.ones(2, 9, dtype=torch.bool)
    regions, words = {0: "batch", 1: "regions"}, {0: "batch", 1: "words"}
    axes = {"image": regions, "image_mask": regions, "text": words, "text_mask": words}
    return weights_folder.trace(
        together, (image, masks[0], text, masks[1]), names=INPUTS, outputs=OUTPUTS, dynamic=axes
    )


def _table(figures: dict[str, Any]) -> str:
    lines = ["| rows | n | AUROC (95% interval) | macro-F1 | majority's macro-F1 |", "|---|---|---|---|---|"]
    for name, row in figures.items():
        lines.append(
            f"| {name} | {row['rows']:,} | {row['auroc']:.3f} ({row['auroc_low']:.3f} to {row['auroc_high']:.3f}) "
            f"| {row['macro_f1']:.3f} | {row['macro_f1_majority']:.3f} |"
        )
    return "\n".join(lines)


CARD = """
# hate_cross_attention

Is a meme hateful, and would HarMeme's annotators call it harmful? Co-attention over 49 picture patches (`mini_picture`) and
the caption's word pieces (`mini_words`), two two-layer heads; {networks} networks of a cross-validation by group answer
together, with linear paths from the mean word and the mean patch beside them. Trained by `python -m training fit
hate_cross_attention`.

- `hate`: sentences (Dynahate, HatemojiBuild, HateXplain, Davidson, CONAN; our counterfactual templates), alone and beside
  photographs of Flickr8k and OASIS that have nothing to do with them, and religiously hateful memes (194 validation rows).
- The linear paths (`training/hate/linear_branch.py`) lead from sentences and from the religiously hateful memes' words to
  `hate`, and from HarMeme's words and pictures to `harm`.
- `harm`: HarMeme / Harm-C (Pramanick et al. 2021), COVID-19 memes.

{table}

Calibration, thresholds (that of `hate` by sentences alone, since the religious memes' labels are noisy) and bands were
chosen on the validation rows above, so those figures are optimistic; out-of-fold
figures are those of single networks on memes that they did not see, each stopped early on its own fold. Figures on rows
that nothing was chosen on come from `python -m training evaluate hate|harm`.

Bands: at most {alarms:.0%} of kind and neutral sentences about groups and {plain:.0%} of all sentences without
hate are shown as hateful, and at most {missed:.0%} of the hateful ones as not hateful, on validation rows.

Two leaks are known. Some of our templates are so plain ("I hate women.") that they may equal cases of HateCheck, so that figures
on it may flatter. Four templates that are in validation here were in the training of `mini_words` under another form, which
flatters `validation, counterfactuals`. The linear paths' settings were also chosen by the figures above.

It cannot know who speaks, to whom, or whether irony is meant. English only. Hate that needs picture and words together,
where each alone is harmless, is mostly missed. The memes it learned from are about religion and COVID-19.
"""
