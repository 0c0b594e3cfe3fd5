"""Converts the earlier system's `best_hateful_meme_model.pth` into a folder of `weights/`: safetensors and a card.

Nothing in the file is executed: it is read with `weights_only=True`.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import weights
from models.errors import BadInput, BadWeights

if TYPE_CHECKING:
    from torch import Tensor

LEGACY_CHECKPOINT = "best_hateful_meme_model"  # the folder in weights/, and the file's name before its ending
HEAD_WIDTH = 64  # of an attention head in all CLIP models
WRAPPERS = ("state_dict", "model_state_dict", "model")
REQUIRED = (  # the parts that the sizes are read from, and those without which it is another network
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
    "text_model.embeddings.token_embedding.weight",
    "text_model.embeddings.position_embedding.weight",
    "vision_model.encoder.layers.0.mlp.fc1.weight",
    "text_model.encoder.layers.0.mlp.fc1.weight",
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
    readme = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    readme = readme.format(name=LEGACY_CHECKPOINT, caution=CAUTION)
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return folder


def checkpoint_path() -> Path:
    """The file that a user may put into weights/ to have the earlier system's checkpoint used."""
    return weights.root() / f"{LEGACY_CHECKPOINT}.pth"


def up_to_date() -> bool:
    """Whether the folder exists and no newer checkpoint lies beside it."""
    card, checkpoint = weights.root() / LEGACY_CHECKPOINT / "config.json", checkpoint_path()
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
    try:
        shapes = {name: state[name].shape for name in REQUIRED}
        sizes = {}
        for tower in ("vision", "text"):
            positions = shapes[f"{tower}_model.embeddings.position_embedding.weight"][0]
            inner = shapes[f"{tower}_model.encoder.layers.0.mlp.fc1.weight"]
            layers = [re.match(rf"{tower}_model\.encoder\.layers\.(\d+)\.", name) for name in state]
            sizes[tower] = {
                "hidden_size": inner[-1],
                "intermediate_size": inner[0],
                "num_hidden_layers": 1 + max(int(layer[1]) for layer in layers if layer),
                "num_attention_heads": max(1, inner[-1] // HEAD_WIDTH),
            }
            if tower == "text":
                vocabulary = shapes["text_model.embeddings.token_embedding.weight"][0]
                sizes[tower] |= {"vocab_size": vocabulary, "max_position_embeddings": positions}
            else:
                patch = shapes["vision_model.embeddings.patch_embedding.weight"][-1]
                sizes[tower] |= {"patch_size": patch, "image_size": round((positions - 1) ** 0.5) * patch}
        return {**sizes, "width": shapes["vision_projection.weight"][0], "heads": 8}
    except KeyError as error:
        raise BadWeights(
            f"{path.name} is not the earlier system's checkpoint, it lacks {error.args[0]!r}: name the file that was "
            "saved with torch.save(model.state_dict(), ...)."
        ) from error


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
    differences = (("missing", expected.keys() - state.keys()), ("extra", state.keys() - expected.keys()))
    problems = [f"{len(names)} {kind} ({_listed(sorted(names))})" for kind, names in differences if names]
    if problems:
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
