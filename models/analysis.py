"""The vocabulary: what goes in (`Meme`) and what comes out (`Analysis`). Nothing here computes.

`Analysis.to_dict()` is the JSON `subtext/1`. Boxes are (left, top, right, bottom) in pixels of the picture as given; probabilities
lie in 0-1; effects are differences of the verdict's logit, positive toward hateful.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from PIL import Image

from models.errors import EmptyMeme
from models.reading import Reading

Source = Literal["override", "ocr", "none"]
Status = Literal["ok", "no_image", "no_text", "no_face", "off", "failed"]
Label = Literal["hateful", "not_hateful", "needs_review"]
Box = tuple[float, float, float, float]
Span = tuple[int, int]
Grid = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Line:
    """One line of OCR text with its confidence (0-1) and box."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True)
class Caption:
    """The words of a meme, where they came from, and the character spans the OCR was unsure of.

    language: its ISO 639-1 code, `und` where the words do not tell, None without words or where nobody looked.
    language_probability: how sure that is, None where the script alone tells it.
    """

    text: str = ""
    source: Source = "none"
    lines: tuple[Line, ...] = ()
    uncertain: tuple[Span, ...] = ()
    language: str | None = None
    language_probability: float | None = None


@dataclass(frozen=True)
class Meme:
    """A picture, a caption, or both. `image` is RGB, from `images.open_picture`; `size` what it had before it was shrunk."""

    image: Image.Image | None
    caption: Caption
    format: str | None = None
    sha256: str | None = None
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.image is None and not self.caption.text.strip():
            raise EmptyMeme("There is nothing to analyze: give a picture, some words, or both.")


@dataclass(frozen=True)
class ProfileInfo:
    """What ran: `mini` or `clip`, on which device, and one SHA-256 for each folder of weights.

    languages: ISO 639-1 codes of those that its verdict was measured on.
    """

    name: str
    device: str
    dtype: str
    parameters: int
    weights: dict[str, str]
    languages: tuple[str, ...] = ("en",)


@dataclass(frozen=True)
class ImageInfo:
    """The picture as given, after EXIF orientation; `format` and `sha256` are those of the bytes."""

    width: int
    height: int
    format: str | None
    sha256: str | None


@dataclass(frozen=True)
class Bands:
    """Two thresholds on the probability: below `review_from` not hateful, from `hateful_from` on hateful."""

    review_from: float
    hateful_from: float


@dataclass(frozen=True)
class Verdict:
    """`probability` is calibrated: sigmoid(`logit`), where `logit` has the calibration applied already.

    decided_by: the probability against the bands, or the language, which was not measured: then the label is `needs_review`.
    reading: another way to read the caption, whether or not it decided.
    """

    label: Label
    probability: float
    logit: float
    bands: Bands
    meaning: str
    reading: Reading | None = None
    decided_by: Literal["probability", "language"] = "probability"


@dataclass(frozen=True)
class Harm:
    """Harmful as HarMeme's annotators judged it; takes in mockery of single people. Not the verdict."""

    probability: float
    meaning: str


@dataclass(frozen=True)
class Emotion:
    """One of the 28 GoEmotions; `present` means probability >= the threshold tuned for this label."""

    label: str
    probability: float
    threshold: float
    present: bool


@dataclass(frozen=True)
class TextEmotions:
    """`scores` holds all 28: those present first, then by falling probability. `detail` explains a failure."""

    status: Status
    scores: tuple[Emotion, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Expression:
    """One of the seven expressions of FER-2013 with its probability (they sum to 1 for a face)."""

    label: str
    probability: float


@dataclass(frozen=True)
class Face:
    """A face found by the detector; `expressions` holds all seven, most likely first."""

    box: Box
    confidence: float
    expressions: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class FaceEmotions:
    """`faces` from the largest to the smallest."""

    status: Status
    faces: tuple[Face, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Emotions:
    """What the words and the faces carry."""

    text: TextEmotions
    faces: FaceEmotions


@dataclass(frozen=True)
class WordWeight:
    """A caption word (characters start:end of the caption) and its share of the attention; shares sum to 1."""

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Attention:
    """A view of the model, not the reason for its answer.

    regions: 7x7, rows from the top, how much all words together look at each patch; sums to 1.
    word_regions: one 7x7 grid per word, in the order of `words`; each sums to 1.
    Without a picture `regions` and `word_regions` are empty, without words `words` and `word_regions`.
    """

    status: Status
    words: tuple[WordWeight, ...] = ()
    regions: Grid = ()
    word_regions: tuple[Grid, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class Shapley:
    """Exact two-player Shapley values of the logit (Shapley 1953; picture and words each present or absent).

    base = logit with both absent; base + image + text = total. `interaction` is f(both) - f(image) - f(text) + f(none),
    half of which is inside `image` and half inside `text`.
    """

    base: float
    image: float
    text: float
    interaction: float
    total: float


@dataclass(frozen=True)
class WordEffect:
    """logit(meme) - logit(meme without this word): positive means that the word pushes toward hateful."""

    text: str
    start: int
    end: int
    effect: float


@dataclass(frozen=True)
class RegionEffect:
    """logit(meme) - logit(meme with this box covered)."""

    box: Box
    effect: float


@dataclass(frozen=True)
class Gradient:
    """Gradient times input (Shrikumar et al. 2017): how the logit would follow a small change, in logits.
    regions: 7x7, rows from the top, signed; words: signed; both are empty where that side is absent.
    """

    words: tuple[WordEffect, ...] = ()
    regions: Grid = ()


@dataclass(frozen=True)
class Evidence:
    """What moved the score, each measured by taking it away; `gradient` only where attention has nothing to show."""

    status: Status
    shapley: Shapley | None = None
    words: tuple[WordEffect, ...] = ()
    regions: tuple[RegionEffect, ...] = ()
    detail: str = ""
    gradient: Gradient | None = None


@dataclass(frozen=True)
class Fact:
    """A number that the explanation quotes, by the path it was measured under (`verdict.probability`)."""

    name: str
    value: float


@dataclass(frozen=True)
class Explanation:
    """`text` in fixed slots; every number in it is one of `facts`."""

    text: str = ""
    facts: tuple[Fact, ...] = ()
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lens(TextEmotions):
    """A target of a multitask model (humour, sarcasm, ...); `scores` holds its classes in place of emotions."""


@dataclass(frozen=True)
class Stage:
    """A step of the analysis. `ms` is None when it starts, its time in milliseconds when it has ended."""

    name: str
    ms: float | None = None
    status: Status = "ok"


@dataclass(frozen=True)
class Analysis:
    """Everything that was measured on one meme; `harm` is None where the profile has no such head."""

    profile: ProfileInfo
    image: ImageInfo | None
    caption: Caption
    verdict: Verdict
    harm: Harm | None
    emotions: Emotions
    attention: Attention
    evidence: Evidence
    explanation: Explanation
    lenses: dict[str, Lens]
    stages: tuple[Stage, ...]
    schema: Literal["subtext/1"] = "subtext/1"

    def to_dict(self) -> dict[str, Any]:
        """The JSON `subtext/1`: dicts, lists, strings and numbers only."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # lists in place of tuples
        return {"schema": plain.pop("schema"), **plain}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Analysis:
        """The inverse of `to_dict`; raises `ValueError` where the data do not fit the schema."""
        from pydantic import TypeAdapter  # the app loads it only when it is needed

        return TypeAdapter(cls).validate_python(data)
