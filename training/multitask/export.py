"""What a run leaves: its own folder, and a folder of `weights/` with one graph of all networks, which needs no torch."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from models import evaluation_files, weights
from models.classifiers.heads import Head
from models.encoders.base import GRID
from training.backbones.base import Backbone
from training.backbones.e5 import WIDTH
from training.calibration.decision_rules import split_by_head
from training.export import weights_folder
from training.export.cards import render_card
from training.multitask.data import LabelledRows, MultitaskData
from training.multitask.evaluation import CrossValResult, Evaluation, confusion
from training.multitask.model import ModelBuilder, MultitaskNetwork

WORDS = "words.json"


class Ensemble(nn.Module):
    """All networks on the same inputs: logits (networks, B, all heads). `fronts` are frozen encoders by modality."""

    def __init__(self, networks: Sequence[MultitaskNetwork], fronts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks, self.fronts = nn.ModuleList(networks), nn.ModuleDict(fronts)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Tokens or raw inputs of both modalities with their masks to (networks, B, all heads)."""
        if "image" in self.fronts:
            image, image_mask = self.fronts["image"](image, image_mask)
        if "text" in self.fronts:
            text, text_mask = self.fronts["text"](text, text_mask)
        return torch.stack([network(image, image_mask, text, text_mask) for network in self.networks])


class SingleModalityEnsemble(nn.Module):
    """The same for models that read one modality."""

    def __init__(self, ensemble: Ensemble, modality: str) -> None:
        super().__init__()
        self.ensemble, self.modality = ensemble, modality

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Inputs of the modality with their mask to (networks, B, all heads)."""
        absent = inputs.new_zeros(inputs.shape[0], 1, 1), mask[:, :1] & False
        return (
            self.ensemble(inputs, mask, *absent) if self.modality == "image" else self.ensemble(*absent, inputs, mask)
        )


def graph(builder: ModelBuilder, networks: Sequence[MultitaskNetwork]) -> onnx.ModelProto:
    """Inputs `image`, `image_mask`, `text`, `text_mask`, as far as the model reads them; output `logits`."""
    encoders = builder.encoders
    inputs: dict[str, Tensor] = {}
    axes: dict[str, dict[int, str]] = {}
    for modality, encoder in encoders.items():
        example, mask, varying = _example(modality, encoder)
        inputs |= {modality: example, f"{modality}_mask": mask}
        axes |= {key: {0: "batch", **varying} for key in (modality, f"{modality}_mask")}
    copies = [copy.deepcopy(network).eval() for network in networks]
    for network in copies:
        network.align = nn.ModuleDict()  # of use in training only
    fronts: dict[str, nn.Module] = {
        name: encoder.front for name, encoder in encoders.items() if encoder.front is not None
    }
    module: nn.Module = Ensemble(copies, fronts)
    if len(encoders) == 1:
        module = SingleModalityEnsemble(module, next(iter(encoders)))  # type: ignore[arg-type]
    return weights_folder.trace(module, tuple(inputs.values()), names=tuple(inputs), outputs=("logits",), dynamic=axes)


def _example(modality: str, encoder: Backbone) -> tuple[Tensor, Tensor, dict[int, str]]:
    """An input, its mask, and which axis beside the batch varies."""
    reads = encoder.input_kind
    if reads == "pixels":
        size = int(encoder.card["side"])
        return torch.randn(2, 3, size, size), torch.ones(2, 1, dtype=torch.bool), {}
    if reads == "words":
        return torch.randint(2, 9, (2, 7)), torch.ones(2, 7, dtype=torch.bool), {1: "words"}
    if modality == "image":
        return torch.randn(2, GRID * GRID, encoder.width), torch.ones(2, GRID * GRID, dtype=torch.bool), {}
    width = WIDTH if reads == "pieces" else 2 * WIDTH  # word pieces' embeddings, or the tokens of `mini_words`
    return torch.randn(2, 9, width), torch.ones(2, 9, dtype=torch.bool), {1: "words"}


def write(
    builder: ModelBuilder,
    heads: Sequence[Head],
    ensemble: onnx.ModelProto,
    metrics: Mapping[str, Any],
    readme: str,
    positives: Mapping[str, Any] | None = None,
) -> Path:
    """Writes `weights/NAME/` with graph, tensors, configuration, metrics and card."""
    config = builder.config
    hashes = {}
    text = builder.encoders.get("text")
    words = text and text.words
    if words is not None:
        folder = weights.output_folder(config.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WORDS).write_text(json.dumps(words, ensure_ascii=False) + "\n", encoding="utf-8")
        hashes[WORDS] = weights.sha256(folder / WORDS)
    inputs: dict[str, dict[str, Any]] = {
        modality: {"reads": encoder.input_kind, "encoder": encoder.spec.encoder, **encoder.card}
        for modality, encoder in builder.encoders.items()
    }
    if config.text is not None and config.text.clean:
        inputs["text"]["clean"] = True
    return weights_folder.write(
        config.name,
        config={
            "kind": "system",
            "title": config.title,
            "summary": config.summary,
            "data": config.data,
            "inputs": inputs,
            "fusion": config.fusion.name,
            "heads": [head.to_dict() for head in heads],
            **({"positives": positives} if positives else {}),
            "measured_with": builder.measured_with,
            "recipe": asdict(config),
            "sha256": hashes,
        },
        metrics=metrics,
        readme=readme,
        graph=ensemble,
        bits=config.bits,
    )


def count_positives(builder: ModelBuilder, data: LabelledRows) -> dict[str, dict[str, dict[str, int]]]:
    """By source of the training rows and by head of several yes-or-no targets: how many rows each target holds for.

    Empty where there is no such head.
    """
    rows = data.training
    if all(head.kind != "multi" for head in builder.heads):
        return {}
    sources = np.array([data.rows[row].source for row in rows])
    columns = split_by_head(builder.heads, data.target[rows])
    return {
        source: {
            head.name: {
                target.name: int((labels[sources == source, number] == 1).sum())
                for number, target in enumerate(head.targets)
            }
            for head, labels in zip(builder.heads, columns, strict=True)
            if head.kind == "multi"
        }
        for source in dict.fromkeys(sources.tolist())
    }


@rank_zero_only
def write_run(
    builder: ModelBuilder, data: MultitaskData, result: CrossValResult, evaluation: Evaluation, out: Path, *, ship: bool
) -> None:
    """Writes the run's folder, then, to `ship` it, the same with the networks' graph into `weights/NAME/`.

    A model with an encoder that the app cannot run does not ship. The run is complete before the graph is made, which may fail.
    """
    config, metrics, positives = builder.config, evaluation.metrics, count_positives(builder, data)
    readme = render_card(
        "multitask",
        config=config,
        measured_with=builder.measured_with,
        parameters=sum(parameter.numel() for parameter in result.networks[0].parameters()),
        networks=len(result.networks),
        trained_on_rows=metrics["trained_on_rows"],
        positives=positives,
        tasks={name: values for name, values in metrics.items() if isinstance(values, dict) and "macro_f1" in values},
    )
    _write_evaluation(out, builder, data, result, evaluation)
    confusions = {f"{each.head.name}, {each.rows}": confusion(each) for each in evaluation.predictions}
    for name, content in (("metrics", metrics), ("config", asdict(config)), ("confusion", confusions)):
        evaluation_files.write_json(out, f"{name}.json", content)
    (out / "README.md").write_text(readme, encoding="utf-8")
    if not ship:
        return
    if towers := [each.spec.encoder for each in builder.encoders.values() if each.input_kind == "hub"]:
        reason = f"with {' and '.join(towers)}, which the app cannot run (it can run mini)"
        print(f"Trained {reason}: all of it is in {out}, and weights/{config.name} stays as it was.")
    else:
        folder = write(builder, evaluation.heads, graph(builder, result.networks), metrics, readme, positives)
        _write_evaluation(folder, builder, data, result, evaluation)


def _write_evaluation(
    folder: Path, builder: ModelBuilder, data: MultitaskData, result: CrossValResult, evaluation: Evaluation
) -> None:
    """`evaluation.json` and `predictions.npz`; ablations that the folder has already are kept."""
    config = builder.config
    on_validation = [each for each in evaluation.predictions if each.rows == evaluation_files.VALIDATION]
    others = [each for each in evaluation.predictions if each.rows != evaluation_files.VALIDATION]
    before = {key: value for key, value in evaluation_files.read_evaluation(folder).items() if key == "ablations"}
    evaluation_files.write_predictions(
        folder, others, data.keys(data.training), validation=on_validation, **before,
        title=config.title, summary=config.summary, data=config.data, measured_with=builder.measured_with,
        curves=result.curves, problems=data.problems,
    )  # fmt: skip
