"""Calibration, bands and the folder of `hate_cross_attention`: what follows once its networks are trained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from models import evaluation_files, weights
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.calibration.thresholds import PlattScaling, Source, choose_threshold, fit_platt
from training.datasets.counterfactuals import LANGUAGES
from training.datasets.counterfactuals import sentences as counterfactual_sentences
from training.engine.linear_branch import LinearBranch
from training.engine.trainer import Curve
from training.export import weights_folder
from training.export.cards import render_card
from training.hate import linear_branch
from training.hate.config import HEADS, MEME_SETS, HateConfig
from training.hate.data import NAMES, Data, folds, head_of
from training.hate.lit_module import predict_sources
from training.metrics import classification

INPUTS = ("image", "image_mask", "text", "text_mask")
OUTPUTS = ("logits", "words_to_regions", "regions_to_words")
KINDLY = ("kind", "neutral")  # forms of counterfactuals that name a group and say nothing against it
FALSE_ALARM_RATE = 0.05  # of kind sentences about groups, and in each language of those without hate, shown as hateful
MIN_ROWS = 100  # languages with fewer validation sentences without hate count together: their own quantile is chance


class Ensemble(nn.Module):
    """The mean of the networks' logits and attention; the linear branches are added to the logits."""

    def __init__(self, nets: Sequence[CrossAttention], linear_branch: LinearBranch) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)
        self.paths = linear_branch  # as its tensors are called in weights/
        self.settings: CrossAttentionSettings = nets[0].settings

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> tuple[Tensor, ...]:
        """Tokens and masks to logits (B, heads), words to regions and regions to words, as each network."""
        outputs = [net(image, image_mask, text, text_mask) for net in self.nets]
        logits, *attention = (torch.stack(output).mean(0) for output in zip(*outputs, strict=True))
        return logits + self.paths(image, image_mask, text, text_mask), *attention


def bands(sources: Mapping[str, Source], scaling: PlattScaling, threshold: float) -> dict[str, float]:
    """The bands of `hate`: a person looks from the threshold on, up to where few of the sentences without hate lie.

    `sources` are the validation sentences of each language and the held-out counterfactuals.
    """
    counterfactuals = sources["counterfactuals"][0]
    forms = [sentence.form for sentence in counterfactual_sentences("validation", len(counterfactuals), names=NAMES)]
    by_language = [
        scaling(logits[labels == 0]) for name, (logits, labels) in sources.items() if name.startswith("sentences ")
    ]
    few = [probs for probs in by_language if len(probs) < MIN_ROWS]
    harmless = [scaling(counterfactuals[np.isin(forms, KINDLY)]), *(p for p in by_language if len(p) >= MIN_ROWS)]
    harmless += [np.concatenate(few)] if few else []
    hateful_from = max(float(np.quantile(probs, 1 - FALSE_ALARM_RATE)) for probs in harmless)
    return {"review_from": threshold, "hateful_from": round(min(0.95, max(threshold + 0.1, hateful_from)), 3)}


def missed(sources: Mapping[str, Source], scaling: PlattScaling, threshold: float) -> float:
    """The fraction of the hateful validation sentences that lies below the threshold."""
    hateful = [logits[labels == 1] for name, (logits, labels) in sources.items() if name.startswith("sentences ")]
    return float((scaling(np.concatenate(hateful)) < threshold).mean())


def save(
    nets: Sequence[CrossAttention],
    config: HateConfig,
    train_data: Data,
    validation_data: Data,
    net_logits: Mapping[str, np.ndarray],
    curves: Sequence[Curve],
) -> None:
    """Writes `weights/hate_cross_attention`.

    `net_logits` are the networks' out-of-fold logits [rows] by set of memes, `curves` the folds'.
    """
    settings = nets[0].settings
    ensemble = Ensemble(nets, linear_branch.fit(train_data, config.linear_branches)).eval()
    rows, rng = dict(validation_data.rows), np.random.default_rng(config.seed)
    sentences = rows.pop("sentences")
    beside = replace(sentences, picture=rng.choice(validation_data.photographs, len(sentences)))
    rows |= {f"sentences {code}": own for code, own in sentences.by_language().items()} | {"beside": beside}
    validation = predict_sources(ensemble, validation_data, rows)
    without_branches = {name: (logits, train_data.rows[name].label) for name, logits in net_logits.items()}
    out_of_fold = dict(without_branches)
    for name, fold in folds(train_data, config).items():
        logits, labels = without_branches[name]
        own_branches = [branch for branch in config.linear_branches if branch.head == MEME_SETS[name]]
        branch_logits = [linear_branch.out_of_fold(train_data, branch, fold, name) for branch in own_branches]
        out_of_fold[name] = (np.sum([logits, *branch_logits], axis=0), labels)
    # The labels of the religious memes are noisy: good for scaling, not for a threshold.
    clean = [source for name, source in validation.items() if name not in MEME_SETS]
    harm = [validation["harmeme"], out_of_fold["harmeme"]]
    scalings = {"hate": fit_platt([*clean, validation["religious_hateful"]]), "harm": fit_platt(harm)}
    thresholds = {
        head: choose_threshold([(scalings[head](logits), y_true) for logits, y_true in sources])
        for head, sources in (("hate", clean), ("harm", harm))
    }

    def metrics_of(split: str, sources: Mapping[str, Source]) -> dict[str, dict[str, float]]:
        heads = {name: HEADS[head_of(name)] for name in sources}
        return {
            f"{split}, {name}": binary_metrics(source, scalings[heads[name]], thresholds[heads[name]])
            for name, source in sources.items()
        }

    metrics = metrics_of("validation", validation) | metrics_of("out of fold", out_of_fold)
    ablation = metrics_of("out of fold", without_branches)
    table = metrics | {f"{name} without the linear paths": row for name, row in ablation.items()}
    folder = weights_folder.write(
        "hate_cross_attention",
        config={
            "kind": f"co-attention over mini tokens, {len(nets)} networks of a cross-validation by group together",
            "labels": list(HEADS),
            "architecture": asdict(settings) | {"networks": len(nets)},
            "encoder": {
                name: weights.card(name).identity for name in ("mini_picture", "mini_words", "mini_vocabulary")
            },
            "calibration": {head: asdict(scaling) for head, scaling in scalings.items()},
            "thresholds": thresholds,
            "bands": bands(validation, scalings["hate"], thresholds["hate"]),
            "languages": sorted(LANGUAGES),
            "recipe": asdict(config),
        },
        metrics=metrics,
        readme=render_card(
            "hate_cross_attention",
            table=table,
            networks=len(nets),
            false_alarm_rate=FALSE_ALARM_RATE,
            missed=missed(validation, scalings["hate"], thresholds["hate"]),
        ),
        graph=export_graph(ensemble),
    )
    ablations = [{"name": "without the linear paths", "figures": ablation}]
    evaluation_files.update_evaluation(folder, curves=list(curves), ablations=ablations)


def binary_metrics(source: Source, scaling: PlattScaling, threshold: float) -> dict[str, float]:
    """`rows` and the metrics of a binary task for (logits, labels) of one source."""
    logits, labels = source
    probs = scaling(logits).tolist()
    return {"rows": len(labels), **classification.binary(labels.tolist(), probs, threshold=threshold)}


def export_graph(net: Ensemble | CrossAttention) -> onnx.ModelProto:
    """The graph that the app runs: tokens and masks of both modalities to logits and attention."""
    settings = net.settings
    image, text = torch.randn(2, 49, settings.image_width), torch.randn(2, 9, settings.text_width)
    example = (image, torch.ones(2, 49, dtype=torch.bool), text, torch.ones(2, 9, dtype=torch.bool))
    regions, words = {0: "batch", 1: "regions"}, {0: "batch", 1: "words"}
    axes = {"image": regions, "image_mask": regions, "text": words, "text_mask": words}
    return weights_folder.trace(net.eval(), example, names=INPUTS, outputs=OUTPUTS, dynamic=axes)
