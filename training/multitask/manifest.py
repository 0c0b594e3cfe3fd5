"""`run.json` in the folder of a run: what its networks were trained on and how, so that `--resume` continues nothing else."""

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models import evaluation_files
from models.errors import BadInput
from training.multitask.config import MultitaskConfig

FILE = "run.json"
UNTRAINED = ("title", "summary", "ablations", "bits")  # settings that no network depends on


def describe(config: MultitaskConfig, measured_with: Mapping[str, str], limit: int | None, rows: str) -> dict[str, Any]:
    """The content of `run.json`; `rows` is `MultitaskData.identity`."""
    return {"config": trained_settings(config), "measured_with": dict(measured_with), "limit": limit, "rows": rows}


def trained_settings(config: MultitaskConfig) -> dict[str, Any]:
    """The settings that the networks depend on, as JSON has them."""
    settings = {key: value for key, value in asdict(config).items() if key not in UNTRAINED}
    return dict(json.loads(json.dumps(settings)))


def read(out: Path) -> dict[str, Any]:
    """The manifest of the run in this folder, empty where there is none that can be read."""
    try:
        return evaluation_files.read_json(out, FILE)
    except (OSError, ValueError):
        return {}


def check(out: Path, manifest: Mapping[str, Any]) -> None:
    """Raises `BadInput` where the checkpoints in this folder are of another run than the manifest's."""
    if not [*out.glob("fold*.pt"), *out.glob("fold*/last.ckpt")]:
        return
    advice = "leave out --resume to train from the start, or name another --out"
    previous = read(out)
    if not previous:
        raise BadInput(f"{out} has no {FILE} that tells what its networks learned from: {advice}.")
    old, new = _flat(previous), _flat(manifest)
    differences = [
        "other training rows" if name == "rows" else f"{name} {old.get(name)} instead of {new.get(name)}"
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]
    if differences:
        raise BadInput(f"{out} holds another run, with {', '.join(differences)}: {advice}.")


def begin(out: Path, manifest: Mapping[str, Any], *, resume: bool) -> None:
    """Writes `run.json`; without `resume` the folds of a previous run in this folder are deleted."""
    for path in [] if resume else list(out.glob("fold*")):
        if re.fullmatch(r"fold\d+\.pt", path.name):
            path.unlink()
        elif re.fullmatch(r"fold\d+", path.name):
            shutil.rmtree(path)
    partial = out / f"{FILE}.part"  # never half a file: other processes may read it now
    partial.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    partial.replace(out / FILE)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name: {"schedule": {"epochs": 3}} as {"schedule.epochs": 3}, the configuration's without its name."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            prefix = "" if name == "config" else f"{name}."
            flat |= {f"{prefix}{key}": inner for key, inner in _flat(value).items()}
        else:
            flat[name] = value
    return flat
