"""The `clip` profile: full-size models on the device of choice, their weights from the hub or a local folder.

The verdict comes from the head that `python -m training fit hate_cross_attention --profile clip` trained, or else from the
earlier system's checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import weights
from models.analysis import Gradient, Meme, ProfileInfo
from models.classifiers.hate import HateClassifier
from models.emotions.face_pipeline import FaceReader
from models.errors import BadWeights, PartUnavailable, SubtextError
from models.fusion.base import FusionSession
from models.profiles import registry
from models.profiles.bundle import FacesReader, ModelBundle, TextReader, load_or_error
from models.runtime import device
from models.runtime.device import Device, Placed

if TYPE_CHECKING:
    from models.io.hub import OnProgress


def load_bundle(device_name: str = "auto", *, threads: int = 0, on_progress: OnProgress | None = None) -> ModelBundle:
    """The `clip` models on a device.

    Raises `PartUnavailable` where there is no head or the hub cannot be reached, `BadWeights` where weights do not fit.
    """
    try:
        import torch
    except ImportError as error:
        raise PartUnavailable(
            "The clip profile needs torch: run pip install -r requirements.txt, or use mini."
        ) from error
    if threads:
        torch.set_num_threads(threads)
    head = registry.head()
    if head is None:
        raise PartUnavailable(
            "The clip profile has no trained head yet: train one (docs/full-size.md), import a checkpoint with "
            "`python -m models import-checkpoint FILE`, or use the mini profile."
        )
    target = device.choose(device_name)
    verdict = (_trained if head == registry.HEAD else _legacy_checkpoint)(target, threads, on_progress)

    from models.emotions.roberta import RobertaEmotions
    from models.emotions.vit import VitExpressions

    placed, parameters, identities = [verdict.placed], verdict.parameters, dict(verdict.weights)
    text_emotions: TextReader | SubtextError = load_or_error(lambda: RobertaEmotions(target, on_progress))
    expressions = load_or_error(lambda: VitExpressions(target, on_progress))
    faces: FacesReader | SubtextError = (
        expressions
        if isinstance(expressions, SubtextError)
        else load_or_error(lambda: FaceReader(expressions, threads=threads))
    )
    for model in (text_emotions, expressions):
        if isinstance(model, RobertaEmotions | VitExpressions):
            placed.append(model.placed)
            parameters += model.parameters
            identities[model.repo] = model.identity
    if isinstance(faces, FaceReader):
        parameters += sum(card.parameters for card in faces.cards)
        identities |= {card.name: card.identity for card in faces.cards}
    info = ProfileInfo("clip", target.name, target.dtype, parameters, identities)
    return ModelBundle(info, verdict.hate.encoder, verdict.hate, text_emotions, faces, verdict.gradient, tuple(placed))


@dataclass(frozen=True)
class VerdictModel:
    """The model that gives the verdict, with its size and the hashes of its weights."""

    hate: HateClassifier
    placed: Placed[Any]
    parameters: int
    weights: dict[str, str]
    gradient: Callable[[Meme], Gradient] | None = None


def _trained(target: Device, threads: int, on_progress: OnProgress | None) -> VerdictModel:
    from models.encoders.clip import ClipEncoder, ClipSource

    card = weights.card(registry.HEAD)
    trained_on = card.setting("encoder")
    encoder = ClipEncoder(
        ClipSource(trained_on["model"], trained_on["pretrained"], trained_on["revision"]), target, on_progress
    )
    if encoder.identity["weights"] != trained_on["weights"]:
        raise BadWeights(
            f"weights/{registry.HEAD} was trained on other weights of {encoder.source} than those on this machine: train "
            "it again with `python -m training fit hate_cross_attention --profile clip`."
        )
    return VerdictModel(
        HateClassifier(encoder, FusionSession(card, threads=threads), card),
        encoder.placed,
        encoder.parameters + card.parameters,
        {card.name: card.identity, str(encoder.source): encoder.identity["weights"]},
    )


def _legacy_checkpoint(target: Device, _: int, __: OnProgress | None) -> VerdictModel:
    from models.legacy_checkpoint.convert import import_checkpoint, up_to_date
    from models.legacy_checkpoint.model import LegacyModel

    if not up_to_date():
        import_checkpoint(checkpoint_path())
    card = weights.card(registry.LEGACY_CHECKPOINT)
    model = LegacyModel(card, target)
    identity = {card.name: card.identity}
    return VerdictModel(HateClassifier(model, model, card), model.placed, card.parameters, identity, model.gradient)


def checkpoint_path() -> Path:
    """The file that a user may put into weights/ to have the earlier system's checkpoint used."""
    return weights.root() / f"{registry.LEGACY_CHECKPOINT}.pth"
