"""The models of a profile as one object.

`mini`: weights in the repository, onnxruntime, no torch in the process. `clip`: full-size models on the device of choice,
their weights from the hub or a local folder; the verdict comes from the head that `python -m training fit
hate_cross_attention --profile clip` trained, or else from the earlier system's checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models import weights
from models.analysis import Gradient, Meme, ProfileInfo
from models.classifiers.hate import HateClassifier
from models.emotions.faces import FaceReader
from models.emotions.text import TextEmotionClassifier
from models.encoders.mini import MiniEncoder
from models.errors import BadInput, BadWeights, PartUnavailable, SubtextError, load_or_error, require
from models.fusion.base import FusionSession
from models.legacy_checkpoint.convert import LEGACY_CHECKPOINT, checkpoint_path, import_checkpoint, up_to_date
from models.profiles import registry
from models.runtime import device
from models.runtime.device import Device, Placed

if TYPE_CHECKING:
    from models.emotions.pretrained import RobertaEmotions
    from models.io.downloads import OnProgress


@dataclass(frozen=True)
class ModelBundle:
    """All models of a profile. An emotion model that could not be loaded is the error that says why.

    `gradient` explains profiles whose attention shows nothing. `placed` are the modules that may have to leave the GPU.
    """

    info: ProfileInfo
    hate: HateClassifier
    text_emotions: TextEmotionClassifier | RobertaEmotions | SubtextError
    faces: FaceReader | SubtextError
    gradient: Callable[[Meme], Gradient] | None = None
    placed: tuple[Placed, ...] = ()

    def uses_cpu_fallback(self) -> bool:
        """Whether a module had to leave the GPU because its memory was full."""
        return any(module.fell_back for module in self.placed)


def load_bundle(
    profile: registry.Profile, device: str = "auto", *, threads: int = 0, on_progress: OnProgress | None = None
) -> ModelBundle:
    """Loads the models of a profile; torch is imported for `clip` alone. `threads` 0 means one per core.

    Raises `BadInput` for a device that the profile cannot use, `PartUnavailable` where there is no head or the hub cannot
    be reached, `BadWeights` where weights are damaged or do not fit.
    """
    return _clip(device, threads, on_progress) if profile.name == "clip" else _mini(device, threads)


def _mini(device_name: str, threads: int) -> ModelBundle:
    if device_name not in ("auto", "cpu"):
        raise BadInput(f"The mini profile runs on the CPU, not on {device_name!r}: leave the device at 'auto'.")
    encoder = MiniEncoder(threads=threads)
    hate = HateClassifier.mini(encoder, threads=threads)
    # Without these two there is still a verdict: their errors are raised where they are used.
    text_emotions = load_or_error(lambda: TextEmotionClassifier(encoder.vocabulary, threads=threads))
    faces = load_or_error(lambda: FaceReader(threads=threads))
    cards = [encoder.vocabulary.card, *encoder.cards, hate.card]
    if isinstance(text_emotions, TextEmotionClassifier):
        cards += [text_emotions.card, text_emotions.vocabulary.card]
    if isinstance(faces, FaceReader):
        cards.extend(faces.cards)
    by_name = {card.name: card for card in cards}  # text emotions may share the encoder's vocabulary
    identities, parameters = (
        {name: getattr(card, key) for name, card in by_name.items()} for key in ("identity", "parameters")
    )
    info = ProfileInfo("mini", "cpu", "float32", sum(parameters.values()), identities, hate.languages)
    return ModelBundle(info, hate, text_emotions, faces)


def _clip(device_name: str, threads: int, on_progress: OnProgress | None) -> ModelBundle:
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
    verdict = _trained(target, threads, on_progress) if head == registry.HEAD else _legacy_checkpoint(target)

    from models.emotions.pretrained import RobertaEmotions, VitExpressions

    placed, parameters, identities = [verdict.placed], verdict.parameters, dict(verdict.weights)
    text_emotions = load_or_error(lambda: RobertaEmotions(target, on_progress))
    expressions = load_or_error(lambda: VitExpressions(target, on_progress))
    faces = load_or_error(lambda: FaceReader(require(expressions), threads=threads))
    for model in (text_emotions, expressions):
        if isinstance(model, RobertaEmotions | VitExpressions):
            placed.append(model.placed)
            parameters += model.parameters
            identities[model.repo.id] = model.repo.revision
    if isinstance(faces, FaceReader):
        parameters += sum(card.parameters for card in faces.cards)
        identities |= {card.name: card.identity for card in faces.cards}
    info = ProfileInfo("clip", target.name, target.dtype, parameters, identities, verdict.hate.languages)
    return ModelBundle(info, verdict.hate, text_emotions, faces, verdict.gradient, tuple(placed))


@dataclass(frozen=True)
class VerdictModel:
    """The model that gives the verdict, with its size and the hashes of its weights."""

    hate: HateClassifier
    placed: Placed
    parameters: int
    weights: dict[str, str]
    gradient: Callable[[Meme], Gradient] | None = None


def _trained(target: Device, threads: int, on_progress: OnProgress | None) -> VerdictModel:
    from models.encoders.clip import ClipEncoder, ClipSource

    card = weights.card(registry.HEAD)
    trained_on = card.setting("encoder")
    source = ClipSource(
        trained_on["model"], trained_on["pretrained"], trained_on["revision"], trained_on.get("further", {})
    )
    encoder = ClipEncoder(source, target, on_progress)
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


def _legacy_checkpoint(target: Device) -> VerdictModel:
    from models.legacy_checkpoint.model import LegacyModel

    if not up_to_date():
        import_checkpoint(checkpoint_path())
    card = weights.card(LEGACY_CHECKPOINT)
    model = LegacyModel(card, target)
    identity = {card.name: card.identity}
    return VerdictModel(HateClassifier(model, model, card), model.placed, card.parameters, identity, model.gradient)
