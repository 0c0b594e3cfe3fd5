"""Folders that transformers wrote, read from the disk alone; what does not fit is told in a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import BadWeights
from models.io.hub import Repo


def model_from(kind: Any, folder: Path, repo: Repo) -> Any:
    """The model in float32; raises `BadWeights` where it cannot be read or lacks tensors, which would be random."""
    model, info = _from(kind, folder, repo, dtype="float32", output_loading_info=True)
    missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if missing:
        raise BadWeights(
            f"{folder} lacks {len(missing)} tensors of {repo.id}, {missing[0]} for one: remove it and try again."
        )
    return model


def tool_from(kind: Any, folder: Path, repo: Repo) -> Any:
    """A tokenizer or an image processor."""
    return _from(kind, folder, repo)


def _from(kind: Any, folder: Path, repo: Repo, **named: Any) -> Any:
    """`kind.from_pretrained` without downloads and without code from the folder."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **named)
    except Exception as error:  # transformers, tokenizers, safetensors and pickle share no base class
        raise BadWeights(
            f"{folder} does not hold {repo.id} as transformers reads it ({type(error).__name__}): remove it and try again."
        ) from error
