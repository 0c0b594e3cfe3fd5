"""What can run: `mini`, whose weights are in the repository. `auto` chooses."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from models.errors import BadInput


@dataclass(frozen=True)
class Profile:
    """A set of models that answer together."""

    name: str
    summary: str
    needs_download: bool


PROFILES = {
    "mini": Profile(
        "mini",
        "EfficientNet-Lite0, MiniLM-L6, co-attention, CenterFace and a small expression network, all in weights/",
        needs_download=False,
    ),
}


def choose(name: str = "auto") -> Profile:
    """The profile of that name; `BadInput` with the nearest name if there is none."""
    if name == "auto":
        return PROFILES["mini"]
    if name not in PROFILES:
        near = difflib.get_close_matches(name, [*PROFILES, "auto"], n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: auto, {', '.join(PROFILES)}."
        raise BadInput(f"There is no profile {name!r}. {hint}")
    return PROFILES[name]
