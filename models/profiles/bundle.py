"""The models of a profile as one object, whatever the profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from PIL import Image

from models.analysis import FaceEmotions, Gradient, Meme, ProfileInfo, TextEmotions
from models.classifiers.hate import HateClassifier
from models.encoders.base import Encoder
from models.errors import SubtextError

if TYPE_CHECKING:
    from models.runtime.device import Placed

Model = TypeVar("Model")


class TextReader(Protocol):
    """Texts to their emotions. Thread-safe."""

    def classify(self, texts: Sequence[str]) -> list[TextEmotions]:
        """One answer a text; `no_text` for a blank one."""
        ...


class FacesReader(Protocol):
    """A picture to its faces and their expressions. Thread-safe."""

    def read(self, image: Image.Image | None) -> FaceEmotions:
        """`no_image` without a picture, `no_face` where none is detected."""
        ...


@dataclass(frozen=True)
class ModelBundle:
    """All models of a profile. An emotion model that could not be loaded is the error that says why.

    `gradient` explains profiles whose attention shows nothing. `placed` are the modules that may have to leave the GPU.
    """

    info: ProfileInfo
    encoder: Encoder
    hate: HateClassifier
    text_emotions: TextReader | SubtextError
    faces: FacesReader | SubtextError
    gradient: Callable[[Meme], Gradient] | None = None
    placed: tuple[Placed[Any], ...] = ()

    def uses_cpu_fallback(self) -> bool:
        """Whether a module had to leave the GPU because its memory was full."""
        return any(module.fell_back for module in self.placed)


def load_or_error(load: Callable[[], Model]) -> Model | SubtextError:
    """The model, or the error that says why it cannot be loaded."""
    try:
        return load()
    except SubtextError as error:
        return error


def require(model: Model | SubtextError) -> Model:
    """The model; raises the error that kept it from loading."""
    if isinstance(model, SubtextError):
        raise type(model)(*model.args)  # a new one: a raised exception holds its frames, and these hold the meme
    return model
