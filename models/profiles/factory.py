"""The models of a profile by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.profiles.bundle import ModelBundle
from models.profiles.registry import Profile

if TYPE_CHECKING:
    from models.io.hub import OnProgress


def load_bundle(
    profile: Profile, device: str = "auto", *, threads: int = 0, on_progress: OnProgress | None = None
) -> ModelBundle:
    """Loads the models of a profile and imports nothing of the other ones: `mini` runs without torch."""
    if profile.name == "mini":
        from models.profiles import mini

        return mini.load_bundle(device, threads=threads)
    from models.profiles import clip

    return clip.load_bundle(device, threads=threads, on_progress=on_progress)
