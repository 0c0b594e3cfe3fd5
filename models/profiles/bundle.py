"""What an analyzer is made of: each profile assembles the same parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from PIL import Image

from models.analysis import FaceEmotions, Gradient, Meme, ProfileInfo, TextEmotions
from models.classifiers.hate import HateClassifier
from models.encoders.base import Encoder
from models.errors import SubtextError
from models.profiles.registry import Profile

if TYPE_CHECKING:
    from models.io.hub import OnProgress
    from models.runtime.device import Placed

Model = TypeVar("Model")


class TextReader(Protocol):
    """Texts to their emotions. Safe to share between threads."""

    def classify(self, texts: Sequence[str]) -> list[TextEmotions]:
        """One answer a text; `no_text` for a blank one."""
        ...


class FacesReader(Protocol):
    """A picture to its faces and their expressions. Safe to share between threads."""

    def read(self, image: Image.Image | None) -> FaceEmotions:
        """`no_image` without a picture, `no_face` where none is found."""
        ...


@dataclass(frozen=True)
class Parts:
    """The verdict's two parts are there; an emotion model that is not is the sentence that says why.

    `gradient` measures what attention cannot show, in profiles whose attention is trivial.
    """

    info: ProfileInfo
    encoder: Encoder
    hate: HateClassifier
    text_emotions: TextReader | SubtextError
    faces: FacesReader | SubtextError
    gradient: Callable[[Meme], Gradient] | None = None
    placed: tuple[Placed[Any], ...] = ()
    """The modules that may leave a GPU whose memory is full."""

    def left_the_gpu(self) -> bool:
        """Whether one of them had to."""
        return any(module.fell_back for module in self.placed)


def assemble(
    profile: Profile, device: str = "auto", *, threads: int = 0, on_progress: OnProgress | None = None
) -> Parts:
    """The parts of a profile. Only the profile that is asked for is imported: `mini` runs without torch."""
    if profile.name == "mini":
        from models.profiles import mini

        return mini.assemble(device, threads=threads)
    from models.profiles import clip

    return clip.assemble(device, threads=threads, on_progress=on_progress)


def loaded(load: Callable[[], Model]) -> Model | SubtextError:
    """The model, or the sentence that says why it is not there."""
    try:
        return load()
    except SubtextError as error:
        return error


def there(model: Model | SubtextError) -> Model:
    """The model; raises what kept it from loading."""
    if isinstance(model, SubtextError):
        raise type(model)(*model.args)  # a new one: a raised exception holds its frames, and these hold the meme
    return model
