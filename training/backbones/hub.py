"""Towers from libraries: `hf:ID` (text), `open_clip:NAME` (text or picture), `torchvision:NAME` and `timm:NAME` (picture).

They are finetuned with the rest or run as they are. Only a model that names one of these fetches anything; what the hub
does not give is `BackboneUnavailable`, so that the configuration's fallback is used. What no hub could give (a malformed
id, a setting that the tower does not know) is `BadInput`.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import BadInput, suggest
from models.io.images import squash
from training.backbones.base import (
    Backbone,
    BackboneSpec,
    BackboneUnavailable,
    IdStore,
    ImageStore,
    Modality,
    TokenStore,
)

ADVICE = "connect to its hub, name a local folder in its place, or let the configuration's fallback take over"
VISION_ADVICE = (
    "connect to the hub of its weights, name a fallback, or train from scratch with options.pretrained = false"
)


@contextmanager
def _fetching(spec: BackboneSpec, advice: str, *, pretrained: bool = True) -> Iterator[None]:
    """Turns a library's error into `BadInput` where name or options do not fit, else into `BackboneUnavailable`.

    Without `pretrained` weights nothing is fetched, so that only the options can be wrong.
    """
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except BadInput:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]  # libraries add paragraphs of advice
        reason = shorten(": ".join([type(error).__name__, *lines[:1]]), 160, placeholder=" ...")
        if spec.encoder.startswith("hf:") and isinstance(error.__cause__, HFValidationError):
            raise BadInput(
                f"{spec.encoder!r} names neither a model of the hub, which is written like hf:ORGANISATION/NAME, nor a "
                "local folder that is there."
            ) from error
        if isinstance(error, TypeError) or not pretrained:
            raise BadInput(f"{spec.encoder} cannot be built with these options ({reason}).") from error
        raise BackboneUnavailable(f"{spec.encoder} cannot be fetched ({reason}): {advice}.") from error


class HuggingFace(Backbone):
    """A transformers encoder: its last hidden states."""

    input_kind = "hub"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache)
        from transformers import AutoModel, AutoTokenizer

        with _fetching(spec, ADVICE):
            self.tokenizer = AutoTokenizer.from_pretrained(spec.name)
            tower = AutoModel.from_pretrained(spec.name, **spec.options)
        self.module = LastHiddenState(tower)
        self.freeze_unless_finetuned()
        self.width = int(tower.config.hidden_size)
        self.card = {"frozen": not spec.finetune, "longest": spec.max_length}

    def store(self, items: Sequence[str]) -> IdStore:
        """Token ids by the tower's own tokenizer."""
        encoded = self.tokenizer(items, truncation=True, max_length=self.spec.max_length) if items else {}
        return IdStore(encoded.get("input_ids", []), self.tokenizer.pad_token_id or 0)


class LastHiddenState(nn.Module):
    """A transformers tower's last layer."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids (B, W) and their mask to states (B, W, width) and the mask."""
        first = torch.arange(mask.shape[1], device=mask.device)[None] == 0
        attended = mask | (~mask.any(dim=1, keepdim=True) & first)  # attention over no tokens is undefined
        return self.tower(input_ids=ids, attention_mask=attended.long()).last_hidden_state, mask


class OpenClip(Backbone):
    """A CLIP tower of open_clip: patch tokens of its picture side, or token states of its text side."""

    input_kind = "hub"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache)
        import open_clip

        options = dict(spec.options)
        weights = options.pop("weights", "openai")
        _check(spec.name, weights)
        with _fetching(spec, ADVICE):
            model, _, self.preprocess = open_clip.create_model_and_transforms(spec.name, pretrained=weights, **options)
            self.tokenizer = open_clip.get_tokenizer(spec.name)
        if modality == "image":
            model.visual.output_tokens = True
            self.width, self.module = int(model.visual.transformer.width), PatchTokens(model.visual)
        else:
            self.width, self.module = int(model.token_embedding.embedding_dim), TextTokens(model)
        self.freeze_unless_finetuned()
        self.card = {"frozen": not spec.finetune, "weights": weights}

    def store(self, items: Sequence[Any]) -> TokenStore:
        """Token ids, or images as the tower's own preprocessing leaves them."""
        if self.modality == "text":
            padded = self.tokenizer(list(items)).tolist() if items else []
            return IdStore([[number for number in row if number] for row in padded])
        pixels = [self.preprocess(Image.open(io.BytesIO(image)).convert("RGB")) for image in items]
        return ImageStore(torch.stack(pixels) if pixels else torch.zeros(1, 3, 224, 224))


class PatchTokens(nn.Module):
    """The patch tokens of an open_clip tower."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, S, S) and a mask (B, 1) to tokens (B, patches, width) and their mask."""
        _, tokens = self.visual(pixels)  # (B, patches, width)
        return tokens, mask.expand(-1, tokens.shape[1])


class TextTokens(nn.Module):
    """Token states after the last layer; the text tower's attention is causal, so padding behind changes nothing."""

    causal_mask: Tensor

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embedding, self.positions = model.token_embedding, model.positional_embedding
        self.transformer, self.norm = model.transformer, model.ln_final
        self.register_buffer("causal_mask", model.attn_mask, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Token ids (B, W) and their mask to states (B, W, width) and the mask."""
        length = ids.shape[1]
        states = self.embedding(ids) + self.positions[:length]
        return self.norm(self.transformer(states, attn_mask=self.causal_mask[:length, :length])), mask


def _check(name: str, weights: str) -> None:
    """`BadInput` for a tower or weights that open_clip has no address for."""
    import open_clip

    if ":" in name:  # hf-hub:ID or local-dir:PATH, which hold their weights
        return
    if name not in open_clip.list_models():
        raise BadInput(f"open_clip has no tower {name!r}.{suggest(name, open_clip.list_models())}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if weights not in tags and not Path(weights).exists():
        raise BadInput(
            f"open_clip has no weights {weights!r} for {name}, and no file is there.{suggest(weights, tags)}"
        )


class VisionBackbone(Backbone):
    """A network of torchvision or timm on images resized to a square; tokens are the positions of its last feature map.

    `options.pretrained` (true unless said otherwise) takes the library's own weights, which its hub has to give; false starts
    from scratch. All other `options` go to the library's builder (`channels`, `layers`, ...).
    """

    input_kind = "pixels"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache)
        options = dict(spec.options)
        self.pretrained = bool(options.pop("pretrained", True))
        build = _build_timm if spec.encoder.startswith("timm:") else _build_torchvision
        with _fetching(spec, VISION_ADVICE, pretrained=self.pretrained):
            network = build(spec.name, self.pretrained, options)
        self.module = FeatureMap(network)
        with torch.no_grad():
            tokens, _ = self.module.eval()(torch.zeros(1, 3, spec.side, spec.side), torch.ones(1, 1, dtype=torch.bool))
        self.width = tokens.shape[-1]
        self.freeze_unless_finetuned()
        self.card = {"frozen": not spec.finetune, "side": spec.side, "pretrained": self.pretrained}

    def store(self, items: Sequence[bytes]) -> ImageStore:
        """Resized images; one of zeros where no row has an image, so that a batch has something to index."""
        side = self.spec.side
        pixels = np.zeros((max(1, len(items)), side, side, 3), np.uint8)
        for number, image in enumerate(items):
            pixels[number] = np.asarray(squash(Image.open(io.BytesIO(image)).convert("RGB"), side))
        return ImageStore(torch.from_numpy(pixels))


class FeatureMap(nn.Module):
    """The positions of a network's last feature map; in training half of the images are mirrored."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.body = network

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, S, S) and a mask (B, 1) to tokens (B, positions, width) and their mask."""
        if self.training:
            mirrored = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
            pixels = torch.where(mirrored, pixels.flip(-1), pixels)
        tokens = self.body(pixels).flatten(2).transpose(1, 2)  # (B, positions, width)
        return tokens, mask.expand(-1, tokens.shape[1])


def _build_timm(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    import timm

    if name not in timm.list_models():
        raise BadInput(f"timm has no model {name!r}: `timm.list_models()` names them.")
    return timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="", **options)


def _build_torchvision(name: str, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    from torchvision import models

    if name not in models.list_models(module=models) or not name.startswith("resnet"):
        raise BadInput(f"torchvision:{name} is not one of its ResNets, such as torchvision:resnet50.")
    network = models.get_model(name, weights="DEFAULT" if pretrained else None, **options)
    return nn.Sequential(*list(network.children())[:-2])  # without pooling and classifier
