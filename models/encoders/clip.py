"""Any model of open_clip as an encoder: its tokens before pooling, and its projected embeddings.

Pictures: CLIP's vision transformer (Radford et al. 2021), squashed to its square so that the grid covers all of the
picture; a grid other than 7x7 is averaged to it. Words: the text tower on as many pieces as the longest caption has
where it reads left to right, since what follows the end cannot change what stands before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from models.encoders.base import GRID, Tokens, encode_in_batches
from models.errors import BadInput, BadWeights, PartUnavailable, suggest
from models.io import hub
from models.runtime.device import Device, Placed, to_numpy
from models.tokenizers.base import length_batches
from models.tokenizers.clip import ClipWords
from models.weights import sha256

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from models.io.downloads import OnProgress

IMAGE_BATCH_SIZE, TEXT_BATCH_SIZE = 8, 32
PINNED = {  # the commit of `main` when this was written; an encoder's `identity` names the commits of other repositories
    "timm/vit_base_patch32_clip_224.openai": "a6f597a30f7b82c51704746581f9a4e41421e878"
}
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
CONFIG = "open_clip_config.json"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt",
             "vocab.txt", "spiece.model", "tokenizer.model", "sentencepiece.bpe.model")  # fmt: skip


@dataclass(frozen=True)
class ClipSource:
    """A model: a name and a tag of open_clip's own list, `hf-hub:ORGANISATION/NAME`, or `local-dir:FOLDER`.

    `revision` names a commit, a tag or a branch; empty takes the one that is pinned here, else `main`. `further` are the
    commits of repositories that the model's configuration names, of its tokenizer, say; else their `main` is taken.
    """

    model: str = "ViT-B-32"
    pretrained: str = "openai"
    revision: str = ""
    further: Mapping[str, str] = field(default_factory=dict)

    def repo(self) -> hub.Repo | None:
        """Where it is downloaded from; None for a local folder. `BadInput` with near names for an unknown model."""
        if self.model.startswith("local-dir:"):
            return None
        if self.model.startswith("hf-hub:"):
            name = self.model.removeprefix("hf-hub:")
            return hub.Repo(name, self.revision or PINNED.get(name, "main"), ((CONFIG,), WEIGHTS), TOKENIZER)
        hub_name = _listed(self.model, self.pretrained).get("hf_hub", "").rstrip("/")
        if not hub_name:
            raise BadInput(f"open_clip has no download of {self.model} {self.pretrained}: choose another tag.")
        organisation, name, *file = hub_name.split("/")
        repo = f"{organisation}/{name}"
        files = (tuple(file),) if file else (WEIGHTS,)
        return hub.Repo(repo, self.revision or PINNED.get(repo, "main"), files)

    def __str__(self) -> str:
        return self.model.split("/")[-1] if ":" in self.model else f"{self.model} {self.pretrained}"


class ClipEncoder:
    """Both towers. Thread-safe. `identity` names the very weights, for the cards of what is trained on them, and `source` the
    commits that they and all else came from, so that nothing moves when a branch does."""

    def __init__(
        self, source: ClipSource | None = None, device: Device | None = None, on_progress: OnProgress | None = None
    ) -> None:
        """Raises `Unreachable` where the weights cannot be had, `BadWeights` where they do not fit."""
        self.source, model, prepare, self.words, weights = _load(source or ClipSource(), on_progress)
        self.placed = Placed(model, device or Device("cpu", "float32"))
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        blob = weights.resolve().name  # in the hub's cache a file is named by its hash, which was checked
        self.identity = {**asdict(self.source), "weights": blob if len(blob) == 64 else sha256(weights)}
        self._prepare = prepare
        self._causal = _is_causal(model)
        tokens, pooled = self._image_tokens([Image.new("RGB", (8, 8))])
        self.image_width, self.pooled_width = tokens.shape[2], pooled.shape[1]
        pieces = self.words.look_up(["a"])
        self.text_width = self._text_tokens(pieces.ids, pieces.mask)[0].shape[2]

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        """tokens [batch, 49, width] after the last layer norm, pooled [batch, the model's embedding width] of length 1."""
        return encode_in_batches(images, IMAGE_BATCH_SIZE, self._image_tokens, (self.image_width, self.pooled_width))

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """tokens [batch, n, width] after the last layer norm, n the number of pieces of the longest text."""
        pieces = self.words.look_up(texts)
        lengths = pieces.mask.sum(1)
        tokens = np.zeros((*pieces.mask.shape, self.text_width), np.float32)
        pooled = np.zeros((len(texts), self.pooled_width), np.float32)
        for rows in length_batches(lengths, TEXT_BATCH_SIZE):
            width = int(lengths[rows].max())
            states, pooled[rows] = self._text_tokens(pieces.ids[rows, :width], pieces.mask[rows, :width])
            tokens[rows, :width] = states[:, :width]
        return Tokens(tokens, pieces.mask, pooled, pieces.spans, pieces.cut)

    def _image_tokens(self, images: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        import torch

        pixels = torch.stack([self._prepare(image.convert("RGB")) for image in images])  # (B, 3, S, S)

        def compute(model: Any, put: Callable[[Tensor], Tensor]) -> tuple[np.ndarray, np.ndarray]:
            output = model.visual.forward_intermediates(
                put(pixels), indices=1, normalize_intermediates=True, output_fmt="NCHW"
            )
            grid = output["image_intermediates"][-1].float()  # (B, width, rows, columns)
            if grid.shape[2:] != (GRID, GRID):
                grid = torch.nn.functional.adaptive_avg_pool2d(grid, GRID)
            return to_numpy(grid.flatten(2).transpose(1, 2)), _unit(output["image_features"])

        return self.placed.run(compute)

    def _text_tokens(self, ids: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import torch

        if not self._causal:
            padding = ((0, 0), (0, self.words.max_length - ids.shape[1]))
            ids, mask = np.pad(ids, padding, constant_values=self.words.pad), np.pad(mask, padding)
        ids_tensor, real = torch.from_numpy(ids), torch.from_numpy(mask)

        def compute(model: Any, put: Callable[[Tensor], Tensor]) -> tuple[np.ndarray, np.ndarray]:
            if self._causal:
                tokens, pooled = _causal_tokens(model, put(ids_tensor))
            elif hasattr(model, "text") and hasattr(model.text, "pooler"):  # a text tower of transformers
                attention = put(real).long()
                states = model.text.transformer(input_ids=put(ids_tensor), attention_mask=attention)
                tokens, pooled = states.last_hidden_state, model.text.proj(model.text.pooler(states, attention))
            else:
                output = model.forward_intermediates(
                    text=put(ids_tensor), text_indices=1, normalize=False, normalize_intermediates=True
                )
                tokens, pooled = output["text_intermediates"][-1], output["text_features"]
            return to_numpy(tokens), _unit(pooled)

        return self.placed.run(compute)


def _causal_tokens(model: Any, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The tokens (B, n, width) and the projected state (B, embedding) of a tower that reads left to right."""
    from open_clip.transformer import text_global_pool

    tower, kind, end = _text_tower(model)
    length = ids.shape[1]
    states = tower.token_embedding(ids) + tower.positional_embedding[:length]  # (B, n, width)
    states = tower.ln_final(tower.transformer(states, attn_mask=tower.attn_mask[:length, :length]))
    pooled = text_global_pool(states, ids, kind, eos_token_id=end)  # (B, width)
    projection = tower.text_projection
    if projection is not None:
        pooled = projection(pooled) if callable(projection) else pooled @ projection
    return states, pooled


def _text_tower(model: Any) -> tuple[Any, str, int | None]:
    """The text tower, how it is pooled, and the id of the end mark; open_clip's class CLIP holds its parts itself."""
    tower = model if hasattr(model, "token_embedding") else model.text
    prefix = "text_" if hasattr(tower, "text_pool_type") else ""
    return tower, getattr(tower, f"{prefix}pool_type", ""), getattr(tower, f"{prefix}eos_id", None)


def _is_causal(model: Any) -> bool:
    """Whether the text tower reads left to right, so that padding cannot change what stands before it."""
    tower, kind, _ = _text_tower(model)
    causal = getattr(tower, "attn_mask", None) is not None and getattr(tower, "cls_emb", None) is None
    return causal and kind in ("argmax", "eos")


def _load(
    source: ClipSource, on_progress: OnProgress | None
) -> tuple[ClipSource, torch.nn.Module, Callable[[Image.Image], Tensor], ClipWords, Path]:
    """The source with all its commits, the model, how it is fed, and the file that its weights came from."""
    try:
        import open_clip
        from open_clip.factory import _find_checkpoint_in_dir
        from open_clip.transform import PreprocessCfg, image_transform_v2
    except ImportError as error:
        raise PartUnavailable(
            "The clip profile needs open_clip: run pip install open_clip_torch, or use mini."
        ) from error
    repo = source.repo()
    folder = hub.fetch(repo, on_progress) if repo else Path(source.model.removeprefix("local-dir:"))
    source = replace(source, revision=hub.commit_of(folder) or source.revision, further=dict(source.further))
    options: dict[str, Any] = {}
    if ":" in source.model:
        name, settings, checkpoint = f"local-dir:{folder}", _folder_config(folder), _find_checkpoint_in_dir(folder)
    else:
        name, settings = source.model, open_clip.get_model_config(source.model)
        assert repo is not None
        checkpoint = next((folder / file for group in repo.files for file in group if (folder / file).is_file()), None)
        listing = _listed(source.model, source.pretrained)
        options = {
            "pretrained": str(checkpoint),
            "force_quick_gelu": bool(listing.get("quick_gelu")),
            "force_preprocess_cfg": {key: listing[key] for key in ("mean", "std", "interpolation") if key in listing},
        }
    if checkpoint is None:
        raise BadWeights(f"{folder} holds no weights of open_clip ({WEIGHTS[0]}): name another folder.")
    text = dict(settings["text_cfg"])

    def fetch(name: str, *files: tuple[str, ...], optional: tuple[str, ...] = ()) -> Path:
        named = hub.fetch(hub.Repo(name, source.further.get(name, "main"), files, optional), on_progress)
        source.further[name] = hub.commit_of(named) or "main"  # type: ignore[index]  # a dictionary of its own
        return named

    words = _tokenizer(text, folder if ":" in source.model else None, fetch)
    if "hf_model_name" in text:  # its own download would go past the hub
        tower = fetch(text["hf_model_name"], ("config.json",))
        options["text_cfg"] = {**text, "hf_model_name": str(tower), "hf_model_pretrained": False}
    try:
        model = open_clip.create_model(name, pretrained_text=False, **options)
    except Exception as error:  # open_clip and torch raise many kinds for a file that does not fit
        raise BadWeights(
            f"The weights of {source} do not fit open_clip's model ({type(error).__name__}): remove {checkpoint} and try again."
        ) from error
    preprocessing = dict(model.visual.preprocess_cfg) | {"resize_mode": "squash"}
    return source, model, image_transform_v2(PreprocessCfg(**preprocessing), is_train=False), words, Path(checkpoint)


def _tokenizer(text: dict[str, Any], folder: Path | None, fetch: Callable[..., Path]) -> ClipWords:
    max_length = int(text.get("context_length", 77))
    clean = dict(text.get("tokenizer_kwargs") or {}).get("clean", "lower")
    tokenizer_name = text.get("hf_tokenizer_name")
    if not tokenizer_name:
        return ClipWords(max_length, clean=clean)
    from transformers import AutoTokenizer

    if folder is None:
        folder = fetch(tokenizer_name, TOKENIZER, optional=TOKENIZER)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    return ClipWords(max_length, tokenizer.backend_tokenizer, clean=clean, pad=int(tokenizer.pad_token_id or 0))


def _listed(model: str, pretrained: str) -> dict[str, Any]:
    import open_clip

    listing: dict[str, Any] = open_clip.get_pretrained_cfg(model, pretrained)
    if not listing:
        tags = open_clip.list_pretrained_tags_by_model(model)
        known, name = (tags, pretrained) if tags else (open_clip.list_models(), model)
        raise BadInput(f"open_clip has no {model} {pretrained}.{suggest(name, known)}")
    return listing


def _folder_config(folder: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
    except (OSError, ValueError, KeyError) as error:
        raise BadWeights(f"{folder / CONFIG} is missing or damaged: name a folder in open_clip's layout.") from error
    return settings


def _unit(pooled: Tensor) -> np.ndarray:
    import torch

    return to_numpy(torch.nn.functional.normalize(pooled.float(), dim=-1))
