"""The `mini` profile: weights in the repository, onnxruntime, no torch in the process."""

from __future__ import annotations

from models.analysis import ProfileInfo
from models.classifiers.hate import HateClassifier
from models.emotions.face_pipeline import FaceReader
from models.emotions.text import TextEmotionClassifier
from models.encoders.mini import MiniEncoder
from models.errors import BadInput
from models.profiles.bundle import ModelBundle, load_or_error


def load_bundle(device: str = "auto", *, threads: int = 0) -> ModelBundle:
    """The `mini` models; `threads` 0 means one a core.

    Raises `BadInput` for another device than the CPU, `BadWeights` where a folder of weights is damaged.
    """
    if device not in ("auto", "cpu"):
        raise BadInput(f"The mini profile runs on the CPU, not on {device!r}: leave the device at 'auto'.")
    encoder = MiniEncoder(threads=threads)
    hate = HateClassifier.mini(encoder, threads=threads)
    # Without these two there is still a verdict: their errors are raised where they are used.
    text_emotions = load_or_error(lambda: TextEmotionClassifier(encoder.vocabulary, threads=threads))
    faces = load_or_error(lambda: FaceReader(threads=threads))
    cards = [encoder.vocabulary.card, *encoder.cards, hate.card]
    if isinstance(text_emotions, TextEmotionClassifier):
        cards.append(text_emotions.card)
    if isinstance(faces, FaceReader):
        cards.extend(faces.cards)
    info = ProfileInfo(
        name="mini",
        device="cpu",
        dtype="float32",
        parameters=sum(card.parameters for card in cards),
        weights={card.name: card.identity for card in cards},
    )
    return ModelBundle(info, encoder, hate, text_emotions, faces)
