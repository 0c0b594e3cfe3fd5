"""The profiles: `mini`, whose weights are in the repository, and `clip`, whose weights are downloaded. `auto` chooses one."""

import json
from dataclasses import dataclass
from functools import partial

from models import weights
from models.emotions.pretrained import ROBERTA, VIT
from models.errors import BadInput, BadWeights, SubtextError, load_or_error, suggest
from models.io import hub
from models.legacy_checkpoint.convert import LEGACY_CHECKPOINT, checkpoint_path

MINI_VERDICT = ("mini_vocabulary", "mini_picture", "mini_words", "hate_cross_attention")
MINI_EMOTIONS = ("minilm_vocabulary", "text_emotions", "face_detector", "face_expressions")
HEAD = "hate_cross_attention_clip"  # in weights/, written by `training fit hate_cross_attention --profile clip`


@dataclass(frozen=True)
class Profile:
    """A set of models that answer together."""

    name: str
    summary: str
    needs_download: bool


_MINI = "EfficientNet-Lite0, MiniLM-L6, co-attention, CenterFace and a small expression network, all in weights/"
_CLIP = "CLIP ViT-B/32 with a head that you train, RoBERTa for emotions, ViT for faces, on a GPU if there is one"
PROFILES = {"mini": Profile("mini", _MINI, needs_download=False), "clip": Profile("clip", _CLIP, needs_download=True)}


@dataclass(frozen=True)
class Choice:
    """A profile, and in a sentence why it was chosen."""

    profile: Profile
    why: str


def head() -> str | None:
    """The folder that gives the `clip` profile's verdict: the trained head, the earlier system's checkpoint or None."""
    for name in (HEAD, LEGACY_CHECKPOINT):
        if (weights.root() / name / "config.json").is_file():
            return name
    return LEGACY_CHECKPOINT if checkpoint_path().is_file() else None


def select(name: str = "auto") -> Choice:
    """The profile of that name; `BadInput` with the nearest name if there is none.

    `auto` takes `clip` where it has a head and its models are available, else `mini`.
    """
    if name in PROFILES:
        return Choice(PROFILES[name], "You chose it.")
    if name != "auto":
        raise BadInput(f"There is no profile {name!r}.{suggest(name, ['auto', *PROFILES])}")
    mini, clip = PROFILES["mini"], PROFILES["clip"]
    verdict_model = head()
    if verdict_model is None:
        why = "The full-size models (clip) are not trained for this yet; the small ones (mini) need no download."
        return Choice(mini, why)
    to_download = load_or_error(missing)
    if isinstance(to_download, SubtextError):
        return Choice(mini, str(to_download))
    if to_download and not hub.reachable():
        return Choice(mini, f"{to_download[0].split('/')[-1]} is not on this machine and the hub cannot be reached.")
    which = "a trained head" if verdict_model == HEAD else "the earlier system's checkpoint"
    state = "within reach" if to_download else "here"
    return Choice(clip, f"There is {which} in weights/, and its models are {state}.")


def identities(profile: Profile) -> dict[str, str]:
    """The identity of every model that may answer, without loading any: a folder's SHA-256, or a repository's revision.

    Raises `BadWeights` where the model of the verdict is missing or damaged; others that are do not answer.
    """
    repos = {repo.id: repo.revision for repo in (ROBERTA, VIT)}
    required, optional = list(MINI_VERDICT), list(MINI_EMOTIONS)
    if profile.name == "clip":
        folder = head()
        required = [folder] if folder and (weights.root() / folder).is_dir() else []
        optional = ["face_detector"]
    cards = [weights.card(name) for name in required]
    cards += [card for name in optional if isinstance(card := load_or_error(partial(weights.card, name)), weights.Card)]
    return {card.name: card.identity for card in cards} | (repos if profile.name == "clip" else {})


def missing() -> list[str]:
    """The repositories that the `clip` profile still has to download. Imports no torch.

    Raises `BadWeights` where the head's card is damaged.
    """
    repos = [ROBERTA, VIT]
    if head() == HEAD:
        try:
            config = json.loads((weights.root() / HEAD / "config.json").read_text(encoding="utf-8"))
            if repo := config["encoder"].get("repo"):
                repos.insert(0, hub.Repo(repo["id"], repo["revision"], tuple(map(tuple, repo["files"]))))
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadWeights(
                f"weights/{HEAD}/config.json is damaged: train it again with `python -m training fit "
                "hate_cross_attention --profile clip`, or remove the folder."
            ) from error
    # an error: a local folder that lacks a file
    return [repo.id for repo in repos if load_or_error(partial(hub.is_local, repo)) is not True]
