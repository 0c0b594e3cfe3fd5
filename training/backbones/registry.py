"""Encoders by spec: `mini`, `minilm`, `bilstm`, `hf:ID`, `torchvision:NAME`, `timm:NAME`, `open_clip:NAME`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from models.errors import BadInput, suggest
from training.backbones import bilstm, hub, mini, minilm, vision
from training.backbones.base import Asked, EncoderUnavailable, SideEncoder

Modality = Literal["image", "text"]


class Registered(NamedTuple):
    build: Callable[[str, Asked, Path], Any]
    sides: tuple[str, ...]


ENCODERS: dict[str, Registered] = {
    "mini": Registered(mini.Mini, ("image", "text")),
    "minilm": Registered(minilm.MiniLM, ("text",)),
    "bilstm": Registered(bilstm.BiLSTM, ("text",)),
    "hf": Registered(hub.HuggingFace, ("text",)),
    "open_clip": Registered(hub.OpenClip, ("image", "text")),
    "torchvision": Registered(vision.Picture, ("image",)),
    "timm": Registered(vision.Picture, ("image",)),
}

unavailable: dict[str, str] = {}
"""Why an encoder, with its options, could not be fetched in this process: its hub lets every try wait most of a minute."""


def build(modality: Modality, asked: Asked, cache: Path) -> SideEncoder:
    """The encoder of that spec. `BadInput` if there is none, `EncoderUnavailable` if it cannot be fetched,
    which is tried once in a process.
    """
    kind, colon, name = asked.encoder.partition(":")
    if kind not in ENCODERS:
        raise BadInput(f"There is no encoder {asked.encoder!r}.{suggest(kind, ENCODERS)}")
    registered = ENCODERS[kind]
    if modality not in registered.sides:
        side = "pictures" if modality == "image" else "words"
        raise BadInput(f"The encoder {asked.encoder!r} does not read {side}.")
    if bool(name) != (kind in {"hf", "open_clip", "torchvision", "timm"}) or bool(colon) != bool(name):
        raise BadInput(
            f"An encoder is named like mini, bilstm, hf:roberta-base or timm:resnet18, not {asked.encoder!r}."
        )
    wanted = f"{asked.encoder} {dict(asked.options)}"
    if wanted in unavailable:
        raise EncoderUnavailable(unavailable[wanted])
    try:
        return registered.build(modality, asked, cache)  # type: ignore[no-any-return]
    except EncoderUnavailable as error:
        unavailable[wanted] = str(error)
        raise
