"""A trained system as a folder of `weights/`: one graph for all its networks, which onnxruntime runs without torch."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from models import weights
from models.classifiers.heads import Head
from models.encoders.base import GRID
from training.backbones.base import Backbone
from training.backbones.sentences import WIDTH
from training.export import weights_folder
from training.multitask.data import System
from training.multitask.model import Network

WORDS = "words.json"


class Together(nn.Module):
    """All networks on the same inputs: logits (networks, B, all of the heads). A front is what a side goes through first."""

    def __init__(self, networks: Sequence[Network], fronts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.networks, self.fronts = nn.ModuleList(networks), nn.ModuleDict(fronts)

    def forward(self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        if "image" in self.fronts:
            image, image_mask = self.fronts["image"](image, image_mask)
        if "text" in self.fronts:
            text, text_mask = self.fronts["text"](text, text_mask)
        return torch.stack([network(image, image_mask, text, text_mask) for network in self.networks])


class Alone(nn.Module):
    """The same for systems that read one side: the picture if `image`, else the words."""

    def __init__(self, networks: Sequence[Network], fronts: Mapping[str, nn.Module], *, image: bool) -> None:
        super().__init__()
        self.together, self.image = Together(networks, fronts), image

    def forward(self, side: Tensor, mask: Tensor) -> Tensor:
        nothing = side.new_zeros(side.shape[0], 1, 1), mask[:, :1] & False
        return self.together(side, mask, *nothing) if self.image else self.together(*nothing, side, mask)


def graph(system: System, networks: Sequence[Network]) -> onnx.ModelProto:
    """Inputs `image`, `image_mask`, `text`, `text_mask`, as far as the system has them; output `logits`."""
    sides = {"image": system.image, "text": system.text}
    inputs: dict[str, Tensor] = {}
    axes: dict[str, dict[int, str]] = {}
    for name, encoder in sides.items():
        if encoder is None:
            continue
        example, mask, varying = _example(name, encoder)
        inputs |= {name: example, f"{name}_mask": mask}
        axes |= {name: {0: "batch", **varying}, f"{name}_mask": {0: "batch", **varying}}
    plain = [copy.deepcopy(network).eval() for network in networks]
    for network in plain:
        network.align = nn.ModuleDict()  # of use in training only
    both = len(inputs) == 4
    fronts = {name: encoder.front for name, encoder in sides.items() if encoder and encoder.front}
    module = Together(plain, fronts) if both else Alone(plain, fronts, image=system.image is not None)
    return weights_folder.trace(module, tuple(inputs.values()), names=tuple(inputs), outputs=("logits",), dynamic=axes)


def _example(side: str, encoder: Backbone) -> tuple[Tensor, Tensor, dict[int, str]]:
    """An input, its mask, and which axis beside the batch varies."""
    reads = encoder.input_kind
    if reads == "pixels":
        size = int(encoder.card["side"])
        return torch.randn(2, 3, size, size), torch.ones(2, 1, dtype=torch.bool), {}
    if reads == "words":
        return torch.randint(2, 9, (2, 7)), torch.ones(2, 7, dtype=torch.bool), {1: "words"}
    if reads == "pieces":
        return torch.randn(2, 9, WIDTH), torch.ones(2, 9, dtype=torch.bool), {1: "words"}
    if side == "image":
        return torch.randn(2, GRID * GRID, encoder.width), torch.ones(2, GRID * GRID, dtype=torch.bool), {}
    return torch.randn(2, 9, 768), torch.ones(2, 9, dtype=torch.bool), {1: "words"}


def write(
    system: System,
    heads: Sequence[Head],
    made: onnx.ModelProto,
    figures: Mapping[str, Any],
    card: str,
    recipe: Mapping[str, Any],
) -> Path:
    """`weights/<name>/` with graph, tensors, card and figures."""
    name = system.recipe.name
    hashes = {}
    words = system.text and system.text.words
    if words is not None:
        folder = weights.output_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / WORDS).write_text(json.dumps(words, ensure_ascii=False) + "\n", encoding="utf-8")
        hashes[WORDS] = weights.sha256(folder / WORDS)
    cleans = {"clean": True} if system.recipe.text is not None and system.recipe.text.clean else {}
    inputs: dict[str, dict[str, Any]] = {
        side: {"reads": encoder.input_kind, "encoder": encoder.spec.encoder, **encoder.card}
        for side, encoder in (("image", system.image), ("text", system.text))
        if encoder is not None
    }
    if system.text is not None:
        inputs["text"] |= cleans
    return weights_folder.write(
        name,
        config={
            "kind": "system",
            "title": system.recipe.title,
            "summary": system.recipe.summary,
            "data": system.recipe.data,
            "inputs": inputs,
            "fusion": system.recipe.fusion,
            "heads": [head.to_dict() for head in heads],
            "measured_with": system.measured_with,
            "recipe": recipe,
            "sha256": hashes,
        },
        metrics=figures,
        readme=card,
        graph=made,
        bits=system.recipe.bits,
    )
