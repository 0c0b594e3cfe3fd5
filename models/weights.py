"""The only reader of `weights/`: folders by name, SHA-256 checked, tensors memory-mapped, graphs run by onnxruntime.

A folder holds `config.json` (what it is, how it is fed, its labels and thresholds, the SHA-256 of its other files),
`model.safetensors`, and where the `mini` profile runs it, `graph.onnx`: the graph alone, whose weights are external
data pointing into `model.safetensors` by offset (`training/export/weights_folder.py` writes it). onnxruntime then needs neither
torch in the process nor a second copy of the weights on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import BadWeights, nearest
from models.runtime.session import Session

RESTORE = "run `git checkout -- weights/{name}` in a clone, or train it again as docs/training.md tells"

_output_roots: list[Path] = []  # the innermost `writing_to` last


@dataclass(frozen=True)
class Card:
    """The `config.json` of one folder; `sha256` names every other file that belongs to it."""

    name: str
    folder: Path
    config: dict[str, Any]
    sha256: dict[str, str]

    @property
    def parameters(self) -> int:
        """How many parameters the network has."""
        return int(self.config.get("parameters", 0))

    @property
    def identity(self) -> str:
        """One SHA-256 for the whole folder: of its files' hashes and its settings."""
        return identity_of(self.config)

    def setting(self, key: str) -> Any:
        """The entry `key` of `config.json`; `BadWeights` if it has none."""
        if key not in self.config:
            raise BadWeights(f"weights/{self.name}/config.json lacks {key!r}: {RESTORE.format(name=self.name)}.")
        return self.config[key]


def identity_of(config: dict[str, Any]) -> str:
    """A folder's identity from its `config.json`, whether or not its files are complete."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def root() -> Path:
    """`SUBTEXT_WEIGHTS`, else `weights/` beside the code."""
    named = os.environ.get("SUBTEXT_WEIGHTS")
    return Path(named) if named else Path(__file__).resolve().parent.parent / "weights"


def folder(name: str) -> Path:
    """Where the weights of that name lie: in the folder of `writing_to` if they were written there, else in `root()`."""
    written = output_folder(name)
    return written if (written / "config.json").is_file() else root() / name


def output_folder(name: str) -> Path:
    """Where weights of that name are written: in the folder of `writing_to`, else in `root()`."""
    return (_output_roots[-1] if _output_roots else root()) / name


@contextmanager
def writing_to(output_root: Path) -> Iterator[None]:
    """Inside, weights are written below this folder; what is not there is still read from `root()`, which stays as it is."""
    _output_roots.append(output_root)
    try:
        yield
    finally:
        _output_roots.pop()


def card(name: str) -> Card:
    """Reads and checks one folder. Raises `BadWeights` if it is missing, damaged or not described."""
    path = folder(name)
    fix = RESTORE.format(name=name)
    if not path.is_dir():
        known = sorted(p.name for p in root().glob("*") if (p / "config.json").is_file())
        match = nearest(name, known)
        hint = f" Did you mean {match!r}?" if match else ""
        raise BadWeights(f"There are no weights named {name!r} in {root()}.{hint} To get them, {fix}.")
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        hashes = dict(config["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadWeights(f"weights/{name}/config.json is missing or damaged: {fix}.") from error
    for file, expected in hashes.items():
        if not (path / file).is_file():
            raise BadWeights(f"weights/{name}/{file} is missing: {fix}.")
        if sha256(path / file) != expected:
            raise BadWeights(f"weights/{name}/{file} is damaged (its SHA-256 is not the one in config.json): {fix}.")
    return Card(name, path, config, hashes)


def sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def session(of: Card, file: str = "graph.onnx", *, threads: int = 0) -> Session:
    """The network of a folder; `threads` 0 means one per core, up to four. They sleep between calls."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(4, os.cpu_count() or 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # the arena keeps the largest batch that ever ran
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return Session(str(of.folder / file), options)
    except Exception as error:  # onnxruntime's own exceptions share no base class
        fix = RESTORE.format(name=of.name)
        raise BadWeights(f"weights/{of.name}/{file} cannot be loaded by onnxruntime: {fix}.") from error


def tensor(of: Card, name: str) -> np.ndarray:
    """One tensor of `model.safetensors`, memory-mapped and read-only: only the rows that are used become resident."""
    path = of.folder / "model.safetensors"
    entries = layout(path)
    if name not in entries:
        raise BadWeights(f"weights/{of.name}/model.safetensors lacks {name!r}: {RESTORE.format(name=of.name)}.")
    dtype, shape, start, _ = entries[name]
    return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)


def layout(path: Path) -> dict[str, tuple[np.dtype, tuple[int, ...], int, int]]:
    """Where each tensor of a safetensors file lies: dtype, shape, offset in the file and length in bytes."""
    dtypes = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8, "I64": np.int64}
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    entries = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        entries[name] = (np.dtype(dtypes[entry["dtype"]]), tuple(entry["shape"]), 8 + size + start, end - start)
    return entries
