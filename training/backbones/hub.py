"""`hf:ID` (text) and `open_clip:NAME` (text or picture): towers from the Hugging Face hub or a local folder.

They are trained with the rest or, with `tune = false`, run as they are. Nothing is fetched but by asking for one of
these; what the hub does not give is `EncoderUnavailable`, so that the recipe's fallback can take over. What no hub could give
(an id that is none, a setting that the tower does not know) is `BadInput`.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from models.errors import BadInput, suggest
from training.backbones.base import Asked, EncoderUnavailable, Store, reason
from training.backbones.mini import sparse


@dataclass(frozen=True)
class Ids:
    """Token numbers of each text."""

    rows: list[list[int]]
    padding: int

    def batch(self, rows: Sequence[int] | Any) -> tuple[Tensor, Tensor]:
        found = [self.rows[row] if row >= 0 else [] for row in rows]
        longest = max(2, *(len(row) for row in found))
        ids = torch.full((len(found), longest), self.padding)
        mask = torch.zeros(len(found), longest, dtype=torch.bool)
        for at, row in enumerate(found):
            ids[at, : len(row)], mask[at, : len(row)] = torch.tensor(row, dtype=torch.long), True
        return ids, mask


@dataclass(frozen=True)
class Prepared:
    """Pictures as the tower's own preprocessing leaves them, (pictures, 3, S, S)."""

    values: Tensor

    def batch(self, rows: Sequence[int] | Any) -> tuple[Tensor, Tensor]:
        index = torch.as_tensor(rows)
        return self.values[index.clamp(min=0)], (index >= 0)[:, None]


class HuggingFace:
    """A transformers encoder: its last hidden states."""

    reads = "hub"

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        from huggingface_hub.errors import HFValidationError
        from transformers import AutoModel, AutoTokenizer

        self.spec, self.asked = asked.encoder, asked
        name = asked.encoder.partition(":")[2]
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(name)
            tower = AutoModel.from_pretrained(name, **asked.options)
        except Exception as error:
            if isinstance(error.__cause__, HFValidationError):
                raise BadInput(
                    f"{asked.encoder!r} names neither a model of the hub, which is written like hf:ORGANISATION/NAME, nor a "
                    "local folder that is there."
                ) from error
            raise _unavailable(asked.encoder, error) from error
        self.module: nn.Module = Hidden(tower)
        if not asked.tune:
            self.module.requires_grad_(False)
        self.width = int(tower.config.hidden_size)
        self.settings: dict[str, Any] = {"frozen": not asked.tune, "longest": asked.longest}

    def prepare(self, data: Sequence[Any]) -> Store:
        def build(texts: Sequence[str]) -> Ids:
            rows = (
                self.tokenizer(list(texts), truncation=True, max_length=self.asked.longest)["input_ids"]
                if texts
                else []
            )
            return Ids(rows, self.tokenizer.pad_token_id or 0)

        return sparse(data, build)


class Hidden(nn.Module):
    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        first = torch.arange(mask.shape[1], device=mask.device)[None] == 0
        seen = mask | (~mask.any(dim=1, keepdim=True) & first)  # attention over nothing has no answer
        return self.tower(input_ids=ids, attention_mask=seen.long()).last_hidden_state, mask


class OpenClip:
    """A CLIP tower of open_clip: patch tokens of its picture side, or token states of its text side."""

    reads = "hub"

    def __init__(self, modality: str, asked: Asked, cache: Path) -> None:
        import open_clip

        self.spec, self.asked, self.modality = asked.encoder, asked, modality
        name = asked.encoder.partition(":")[2]
        options = dict(asked.options)
        weights = options.pop("weights", "openai")
        _check(name, weights)
        try:
            model, _, self.preprocess = open_clip.create_model_and_transforms(name, pretrained=weights, **options)
            self.tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:
            raise _unavailable(asked.encoder, error) from error
        if modality == "image":
            model.visual.output_tokens = True
            self.module: nn.Module = Patches(model.visual)
            self.width = int(model.visual.transformer.width)
        else:
            self.module = Words(model)
            self.width = int(model.token_embedding.embedding_dim)
        if not asked.tune:
            self.module.requires_grad_(False)
        self.settings: dict[str, Any] = {"frozen": not asked.tune, "weights": weights}

    def prepare(self, data: Sequence[Any]) -> Store:
        if self.modality == "text":
            return sparse(data, lambda texts: Ids([[i for i in row if i] for row in self._ids(texts)], 0))
        return sparse(data, self._pictures)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        found: list[list[int]] = self.tokenizer(list(texts)).tolist() if texts else []
        return found

    def _pictures(self, pictures: Sequence[bytes]) -> Prepared:
        shown = [self.preprocess(Image.open(io.BytesIO(one)).convert("RGB")) for one in pictures]
        return Prepared(torch.stack(shown) if shown else torch.zeros(1, 3, 224, 224))


class Patches(nn.Module):
    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        _, tokens = self.visual(pixels)  # (B, patches, width)
        return tokens, mask.expand(-1, tokens.shape[1])


class Words(nn.Module):
    """Token states after the last layer; open_clip's text tower looks back only, so padding behind changes nothing."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.table, self.places = model.token_embedding, model.positional_embedding
        self.transformer, self.norm = model.transformer, model.ln_final
        self.register_buffer("look_back", model.attn_mask, persistent=False)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        width = ids.shape[1]
        states = self.table(ids) + self.places[:width]
        return self.norm(self.transformer(states, attn_mask=self.look_back[:width, :width])), mask


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


def _unavailable(spec: str, error: Exception) -> EncoderUnavailable | BadInput:
    if isinstance(error, TypeError):  # a builder that was given a setting which it does not have
        return BadInput(f"{spec} cannot be built with these options ({reason(error)}).")
    return EncoderUnavailable(
        f"{spec} cannot be fetched ({reason(error)}): connect to its hub, name a local folder in its place, or "
        "let the recipe's fallback take over."
    )
