"""Backbones by spec: `mini`, `minilm`, `bilstm`, `hf:ID`, `torchvision:NAME`, `timm:NAME`, `open_clip:NAME`."""

from pathlib import Path
from typing import NamedTuple

from models.errors import BadInput, suggest
from training.backbones.base import Backbone, BackboneSpec, BackboneUnavailable, Modality
from training.backbones.bilstm import BiLSTM
from training.backbones.hub import HuggingFace, OpenClip, VisionBackbone
from training.backbones.mini import Mini
from training.backbones.minilm import MiniLM


class Entry(NamedTuple):
    """A backbone's class, the modalities that it reads, and whether a name follows it after a colon."""

    backbone: type[Backbone]
    modalities: tuple[Modality, ...]
    named: bool = False


BACKBONES: dict[str, Entry] = {
    "mini": Entry(Mini, ("image", "text")),
    "minilm": Entry(MiniLM, ("text",)),
    "bilstm": Entry(BiLSTM, ("text",)),
    "hf": Entry(HuggingFace, ("text",), named=True),
    "open_clip": Entry(OpenClip, ("image", "text"), named=True),
    "torchvision": Entry(VisionBackbone, ("image",), named=True),
    "timm": Entry(VisionBackbone, ("image",), named=True),
}

unavailable: dict[str, str] = {}
"""Why an encoder, with its options, could not be fetched in this process: a failed download takes most of a minute."""


def build(modality: Modality, spec: BackboneSpec, cache: Path) -> Backbone:
    """The backbone of that spec; fetching it is tried once in a process.

    Raises `BadInput` if there is none, `BackboneUnavailable` if it cannot be fetched.
    """
    kind, colon, name = spec.encoder.partition(":")
    if kind not in BACKBONES:
        raise BadInput(f"There is no encoder {spec.encoder!r}.{suggest(kind, BACKBONES)}")
    entry = BACKBONES[kind]
    if modality not in entry.modalities:
        side = "pictures" if modality == "image" else "words"
        raise BadInput(f"The encoder {spec.encoder!r} does not read {side}.")
    if bool(name) != entry.named or bool(colon) != bool(name):
        raise BadInput(
            f"An encoder is named like mini, bilstm, hf:roberta-base or timm:resnet18, not {spec.encoder!r}."
        )
    key = f"{spec.encoder} {dict(spec.options)}"
    if key in unavailable:
        raise BackboneUnavailable(unavailable[key])
    try:
        return entry.backbone(modality, spec, cache)
    except BackboneUnavailable as error:
        unavailable[key] = str(error)
        raise
