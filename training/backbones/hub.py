"""`hf:ID` (text) and `open_clip:NAME` (text or picture): towers from the Hugging Face hub or a local folder.

They are finetuned with the rest or run as they are. Only a model that names one of these fetches anything; what the hub
does not give is `BackboneUnavailable`, so that the configuration's fallback is used. What no hub could give (a malformed
id, a setting that the tower does not know) is `BadInput`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import BadInput, suggest
from training.backbones.base import Backbone, BackboneSpec, Modality, TokenStore, build_error
from training.backbones.stores import IdStore, ImageStore, prepare_present

ADVICE = "connect to its hub, name a local folder in its place, or let the recipe's fallback take over"


class HuggingFace(Backbone):
    """A transformers encoder: its last hidden states."""

    input_kind = "hub"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(spec)
        from huggingface_hub.errors import HFValidationError
        from transformers import AutoModel, AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(spec.name)
            tower = AutoModel.from_pretrained(spec.name, **spec.options)
        except Exception as error:
            if isinstance(error.__cause__, HFValidationError):
                raise BadInput(
                    f"{spec.encoder!r} names neither a model of the hub, which is written like hf:ORGANISATION/NAME, nor a "
                    "local folder that is there."
                ) from error
            raise build_error(spec, error, ADVICE) from error
        self.module = LastHiddenState(tower)
        self.freeze_unless_finetuned()
        self.width = int(tower.config.hidden_size)
        self.card = {"frozen": not spec.finetune, "longest": spec.max_length}

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Token ids by the tower's own tokenizer."""

        def build(texts: Sequence[str]) -> IdStore:
            encoded = self.tokenizer(texts, truncation=True, max_length=self.spec.max_length) if texts else {}
            return IdStore(encoded.get("input_ids", []), self.tokenizer.pad_token_id or 0)

        return prepare_present(data, build)


class LastHiddenState(nn.Module):
    """Token ids (B, W) to the last layer's states (B, W, width)."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        first = torch.arange(mask.shape[1], device=mask.device)[None] == 0
        attended = mask | (~mask.any(dim=1, keepdim=True) & first)  # attention over no tokens is undefined
        return self.tower(input_ids=ids, attention_mask=attended.long()).last_hidden_state, mask


class OpenClip(Backbone):
    """A CLIP tower of open_clip: patch tokens of its picture side, or token states of its text side."""

    input_kind = "hub"

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(spec)
        import open_clip

        self.modality = modality
        options = dict(spec.options)
        weights = options.pop("weights", "openai")
        _check(spec.name, weights)
        try:
            model, _, self.preprocess = open_clip.create_model_and_transforms(spec.name, pretrained=weights, **options)
            self.tokenizer = open_clip.get_tokenizer(spec.name)
        except Exception as error:
            raise build_error(spec, error, ADVICE) from error
        if modality == "image":
            model.visual.output_tokens = True
            self.width = int(model.visual.transformer.width)
        else:
            self.width = int(model.token_embedding.embedding_dim)
        self.module = PatchTokens(model.visual) if modality == "image" else TextTokens(model)
        self.freeze_unless_finetuned()
        self.card = {"frozen": not spec.finetune, "weights": weights}

    def prepare(self, data: Sequence[Any]) -> TokenStore:
        """Token ids, or images as the tower's own preprocessing leaves them."""
        return prepare_present(data, self._token_ids if self.modality == "text" else self._images)

    def _token_ids(self, texts: Sequence[str]) -> IdStore:
        padded = self.tokenizer(list(texts)).tolist() if texts else []
        return IdStore([[number for number in row if number] for row in padded])

    def _images(self, images: Sequence[bytes]) -> ImageStore:
        pixels = [self.preprocess(Image.open(io.BytesIO(image)).convert("RGB")) for image in images]
        return ImageStore(torch.stack(pixels) if pixels else torch.zeros(1, 3, 224, 224))


class PatchTokens(nn.Module):
    """Pixels (B, 3, S, S) to patch tokens (B, patches, width)."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        _, tokens = self.visual(pixels)  # (B, patches, width)
        return tokens, mask.expand(-1, tokens.shape[1])


class TextTokens(nn.Module):
    """Token states after the last layer; the text tower's attention is causal, so padding behind changes nothing."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.embedding, self.positions = model.token_embedding, model.positional_embedding
        self.transformer, self.norm = model.transformer, model.ln_final
        self.register_buffer("causal_mask", model.attn_mask, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
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
