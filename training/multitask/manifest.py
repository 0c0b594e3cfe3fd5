"""`run.json` in the folder of a system's run: what its networks were trained as, so that `--resume` goes on with nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.errors import BadInput
from training.multitask.config import SystemRecipe

FILE = "run.json"
UNTRAINED = ("title", "summary", "ablations", "ship", "bits")  # settings of a recipe that no network is trained by


def described(recipe: SystemRecipe, measured_with: Mapping[str, str], limit: int | None, rows: str) -> dict[str, Any]:
    """What `run.json` holds; `rows` is `Data.identity`."""
    trained = {key: value for key, value in asdict(recipe).items() if key not in UNTRAINED}
    found = {"recipe": trained, "measured_with": dict(measured_with), "limit": limit, "rows": rows}
    plain: dict[str, Any] = json.loads(json.dumps(found, default=list))
    return plain


def check(out: Path, asked: Mapping[str, Any]) -> None:
    """`BadInput` where the folds and checkpoints in this folder are of another run than is asked for."""
    if not [*out.glob("fold*.pt"), *out.glob("fold*/last.ckpt")]:
        return
    way_out = "leave out --resume to train from the start, or name another --out"
    try:
        there = json.loads((out / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{out} has no {FILE} that tells what its networks learned from: {way_out}.") from error
    old, new = _flat(there), _flat(asked)
    others = [
        "other training rows" if name == "rows" else f"{name} {old.get(name)} instead of {new.get(name)}"
        for name in dict.fromkeys([*new, *old])
        if old.get(name) != new.get(name)
    ]
    if others:
        raise BadInput(f"{out} holds another run, with {', '.join(others)}: {way_out}.")


def begin(out: Path, asked: Mapping[str, Any], *, resume: bool) -> None:
    """Writes `run.json`; without `resume` the folds of a run that was here before go."""
    for old in [] if resume else list(out.glob("fold*")):
        if re.fullmatch(r"fold\d+\.pt", old.name):
            old.unlink()
        elif re.fullmatch(r"fold\d+", old.name):
            shutil.rmtree(old)
    part = out / f"{FILE}.part"  # never half a file: other processes may read it now
    part.write_text(json.dumps(asked, indent=2) + "\n", encoding="utf-8")
    part.replace(out / FILE)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own name: {"schedule": {"epochs": 3}} as {"schedule.epochs": 3}, the recipe's without its name."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            inside = "" if name == "recipe" else f"{name}."
            found |= {f"{inside}{key}": one for key, one in _flat(value).items()}
        else:
            found[name] = value
    return found
