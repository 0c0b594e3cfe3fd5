"""What can run: `mini`, whose weights are in the repository, and `clip`, whose weights are downloaded. `auto` chooses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from models import weights
from models.errors import BadInput, BadWeights, SubtextError, suggest

HEAD = "hate_cross_attention_clip"  # in weights/, written by `training fit hate_cross_attention --profile clip`
EARLIER = "best_hateful_meme_model"  # in weights/, converted from the earlier system's checkpoint of that name


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
    "clip": Profile(
        "clip",
        "CLIP ViT-B/32 with a head that you train, RoBERTa for emotions, ViT for faces, on a GPU if there is one",
        needs_download=True,
    ),
}


@dataclass(frozen=True)
class Choice:
    """A profile, and in a sentence why it was chosen."""

    profile: Profile
    why: str


def choose(name: str = "auto") -> Profile:
    """The profile of that name; `BadInput` with the nearest name if there is none."""
    return select(name).profile


def select(name: str = "auto") -> Choice:
    """As `choose`, with the reason. `auto` takes `clip` where a head is there and its models can be had, else `mini`."""
    if name == "auto":
        return _automatic()
    if name not in PROFILES:
        raise BadInput(f"There is no profile {name!r}.{suggest(name, ['auto', *PROFILES])}")
    return Choice(PROFILES[name], "You chose it.")


def head() -> str | None:
    """What gives the `clip` profile's verdict: the trained head, else the earlier system's checkpoint, else None."""
    root = weights.root()
    if (root / HEAD / "config.json").is_file():
        return HEAD
    if (root / EARLIER / "config.json").is_file() or (root / f"{EARLIER}.pth").is_file():
        return EARLIER
    return None


def _automatic() -> Choice:
    mini, clip = PROFILES["mini"], PROFILES["clip"]
    found = head()
    if found is None:
        return Choice(
            mini, "The full-size models (clip) are not trained for this yet; the small ones (mini) need no download."
        )
    try:
        lacking = missing()
    except SubtextError as error:
        return Choice(mini, str(error))
    if lacking:
        from models.io import hub

        if not hub.reachable():
            return Choice(mini, f"{lacking[0].split('/')[-1]} is not on this machine and the hub cannot be reached.")
    which = "a trained head" if found == HEAD else "the earlier system's checkpoint"
    return Choice(clip, f"There is {which} in weights/, and its models are {'within reach' if lacking else 'here'}.")


def missing() -> list[str]:
    """The repositories whose files the `clip` profile needs and that are not on this machine yet. Imports no torch.

    Raises `BadWeights` where the head's card is damaged.
    """
    from models.emotions import roberta, vit
    from models.io import hub

    wanted = [roberta.REPO, vit.REPO]
    if head() == HEAD:
        try:
            told: dict[str, Any] = json.loads((weights.root() / HEAD / "config.json").read_text(encoding="utf-8"))
            repo = told["encoder"].get("repo")
            if repo:
                files = tuple(tuple(group) for group in repo["files"])
                wanted.insert(0, hub.Repo(repo["id"], repo["revision"], files))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadWeights(
                f"weights/{HEAD}/config.json is damaged: train it again with `python -m training fit "
                "hate_cross_attention --profile clip`, or remove the folder."
            ) from error
    found = []
    for repo in wanted:
        try:
            if not hub.here(repo):
                found.append(repo.id)
        except SubtextError:  # a local folder that lacks a file
            found.append(repo.id)
    return found
