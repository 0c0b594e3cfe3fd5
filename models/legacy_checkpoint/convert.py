"""Converts the earlier system's `best_hateful_meme_model.pth` into a folder of `weights/`: safetensors and a card.

Nothing in the file is executed: it is read with `weights_only=True`.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import weights
from models.errors import BadInput, BadWeights
from models.profiles.registry import LEGACY_CHECKPOINT

if TYPE_CHECKING:
    from torch import Tensor

HEAD_WIDTH = 64  # of an attention head in all CLIP models
WRAPPERS = ("state_dict", "model_state_dict", "model")
REQUIRED = (
    "vision_projection.weight",
    "text_projection.weight",
    "cross_attention.in_proj_weight",
    "classifier.3.weight",
)
CAUTION = (
    "This checkpoint attends from one text vector to one picture vector, and the share of a single key is always 1: what "
    "reaches its classifier is the picture alone, whatever the words say."
)
UNCALIBRATED = "Its probability is the sigmoid of its own logit: nothing was calibrated for this checkpoint."


def import_checkpoint(path: Path) -> Path:
    """Converts the file into `weights/best_hateful_meme_model` and returns that folder.

    Raises `BadInput` for a file that is no checkpoint or holds code, `BadWeights` for one with missing or extra keys.
    """
    from safetensors.torch import save_file

    state = renamed(_read(path))
    architecture = architecture_of(state, path)
    _check(state, architecture, path)
    folder = weights.root() / LEGACY_CHECKPOINT
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "model.safetensors.part"
    save_file({name: value.float().contiguous() for name, value in state.items()}, part)
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")
    card = {
        "name": LEGACY_CHECKPOINT,
        "kind": "the earlier system: CLIP ViT-B/32 towers, attention over one key, a two-layer classifier",
        "labels": ["hate"],
        "architecture": architecture,
        "calibration": {"hate": {"scale": 1.0, "offset": 0.0}},
        "thresholds": {"hate": 0.5},
        "bands": {"review_from": 0.5, "hateful_from": 0.5},
        "needs_picture": True,
        "cautions": [CAUTION, UNCALIBRATED],
        "source": {"file": path.name, "sha256": weights.sha256(path)},
        "parameters": sum(value.numel() for value in state.values()),
        "sha256": {"model.safetensors": weights.sha256(folder / "model.safetensors")},
    }
    (folder / "config.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "metrics.json").write_text("{}\n", encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    return folder


def up_to_date() -> bool:
    """Whether the folder exists and no newer checkpoint lies beside it."""
    card, checkpoint = weights.root() / LEGACY_CHECKPOINT / "config.json", weights.root() / f"{LEGACY_CHECKPOINT}.pth"
    if not card.is_file():
        return False
    return not checkpoint.is_file() or checkpoint.stat().st_mtime <= card.stat().st_mtime


def renamed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict with this version's names, from transformers 4 or 5, with or without DataParallel's prefix."""
    plain = {
        re.sub(r"^(module\.)?(?:(vision|text)_model\.(?=\2_model\.))?", "", name): value
        for name, value in state.items()
    }
    return {name: value for name, value in plain.items() if not name.endswith("embeddings.position_ids")}  # a constant


def architecture_of(state: Mapping[str, Tensor], path: Path) -> dict[str, Any]:
    """The sizes that the tensors have."""
    missing = [name for name in REQUIRED if name not in state]
    try:
        patch = state["vision_model.embeddings.patch_embedding.weight"]
        positions = state["vision_model.embeddings.position_embedding.weight"]
        words = state["text_model.embeddings.token_embedding.weight"]
        if missing:
            raise KeyError(missing[0])
        return {
            "vision": {
                "hidden_size": patch.shape[0],
                "intermediate_size": state["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
                "num_hidden_layers": _layers(state, "vision_model"),
                "num_attention_heads": max(1, patch.shape[0] // HEAD_WIDTH),
                "patch_size": patch.shape[-1],
                "image_size": round((positions.shape[0] - 1) ** 0.5) * patch.shape[-1],
            },
            "text": {
                "hidden_size": words.shape[1],
                "intermediate_size": state["text_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
                "num_hidden_layers": _layers(state, "text_model"),
                "num_attention_heads": max(1, words.shape[1] // HEAD_WIDTH),
                "vocab_size": words.shape[0],
                "max_position_embeddings": state["text_model.embeddings.position_embedding.weight"].shape[0],
            },
            "width": state["vision_projection.weight"].shape[0],
            "heads": 8,
        }
    except KeyError as error:
        raise BadWeights(
            f"{path.name} is not the earlier system's checkpoint, it lacks {error.args[0]!r}: name the file that was "
            "saved with torch.save(model.state_dict(), ...)."
        ) from error


def _layers(state: Iterable[str], tower: str) -> int:
    """The number of transformer layers of `vision_model` or `text_model`."""
    matches = [re.match(rf"{tower}\.encoder\.layers\.(\d+)\.", name) for name in state]
    return 1 + max((int(match[1]) for match in matches if match), default=-1)


def _read(path: Path) -> dict[str, Tensor]:
    import torch

    if not path.is_file():
        raise BadInput(f"There is no file {path}: check its name and its folder.")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BadInput(
            f"{path.name} holds more than tensors, and running what it holds would not be safe: save the state dict alone, "
            "with torch.save(model.state_dict(), ...), and import that."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path.name} is damaged or was not written by torch.save: copy it again.") from error
    except Exception as error:  # safetensors has an exception of its own
        raise BadInput(f"{path.name} cannot be read as a checkpoint: copy it again.") from error
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BadInput(f"{path.name} holds no state dict: save it with torch.save(model.state_dict(), ...).")
    return dict(state)


def _check(state: Mapping[str, Tensor], architecture: Mapping[str, Any], path: Path) -> None:
    """Every name and shape must be the network's."""
    import torch

    from models.legacy_checkpoint.model import Network

    with torch.device("meta"):
        expected = Network(architecture).state_dict()
    missing, extra = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or extra:
        problems = [
            f"{len(names)} {kind} ({_listed(names)})"
            for kind, names in (("missing", missing), ("extra", extra))
            if names
        ]
        raise BadWeights(
            f"The keys of {path.name} do not fit the earlier system: {' and '.join(problems)}. Import the whole state dict of "
            "its model, as it was saved."
        )
    misfits = [name for name, value in expected.items() if state[name].shape != value.shape]
    if misfits:
        raise BadWeights(
            f"The shape of {_listed(misfits)} in {path.name} does not fit the earlier system: name its own file."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


README = f"""# {LEGACY_CHECKPOINT}

The earlier system's checkpoint, converted by `python -m models import-checkpoint`: CLIP ViT-B/32 towers, one text vector
attending to one picture vector, a two-layer classifier; hateful from a probability of .5 on, as that system said it. It
comes without figures: measure it with `python -m training evaluate hate --profile clip --data FILE --json OUT`.

{CAUTION} The Analyze page shows gradients and the effect of covering parts of the picture instead.
"""
