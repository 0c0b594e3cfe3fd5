"""Reads `configs/NAME.toml`: what is trained, on what, with which schedule."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "configs"


def read(name: str, args: argparse.Namespace | None = None) -> dict[str, Any]:
    """The recipe as a dict; `--seed` and `--epochs` of the command line take the place of the recipe's."""
    recipe = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    for key in ("seed", "epochs"):
        given = getattr(args, key, None)
        if given is not None and key in recipe:
            recipe[key] = given
    return recipe
