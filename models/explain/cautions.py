"""What the model cannot know, chosen by what was measured on this meme."""

import re

from models.analysis import Analysis, Verdict
from models.explain.facts import SENTENCES, Ledger
from models.io.captions import normalize
from models.io.language import foreign_name

NEAR = 0.05  # of probability; closer than this to a threshold, small changes may turn the label
TINY = 48  # pixels of the shorter side: less than the faces that the expressions were learned from

_QUOTED = re.compile(r"[\"“”«»„]|(?:^|\s)['‘][^'’]+['’](?:\s|$)")
_PLAYFUL = frozenset({"amusement", "joy", "excitement"})


def closing(analysis: Analysis) -> str:
    """The last sentence of the text."""
    text = analysis.caption.text
    unknown = ["who is speaking and to whom", "whether irony is meant", "what came before"]
    if analysis.image is None:
        unknown.append("which picture would stand beside the words")
    reasons = {
        "unmeasured": analysis.verdict.decided_by == "language",
        "blank": not text.strip(),
        "wordless": wordless(text),
        "english": analysis.profile.languages == ("en",),
        "mostly_english": True,
    }
    reason = SENTENCES["closing"][next(name for name, holds in reasons.items() if holds)]
    return f"The model cannot know {', '.join(unknown[:-1])} or {unknown[-1]}, and {reason}."


def cautions(analysis: Analysis, ledger: Ledger) -> tuple[str, ...]:
    """One sentence or two each, the ones about this meme first."""
    image, caption, text = analysis.image, analysis.caption, analysis.caption.text
    band, _, distance = nearest_band(analysis.verdict)
    unmeasured = analysis.verdict.decided_by == "language"
    near = distance < NEAR and not unmeasured
    shown = distance_shown(analysis.verdict, band) if near else 0
    away = f" ({ledger.plain(f'verdict.distance_to.{band}', shown)} away)" if shown else ""
    language = foreign_name(caption.language)
    values = {"away": away, "why": analysis.verdict.meaning, "language": language}
    playful = any(score.present and score.label in _PLAYFUL for score in analysis.emotions.text.scores)
    applies = {
        "near": near,
        "unmeasured": unmeasured,
        "foreign": language,
        "wordless": wordless(text),
        "tiny": image is not None and min(image.width, image.height) < TINY,
        "no_picture": image is None,
        "no_words": image is not None and not text.strip(),
        "respelled": analysis.verdict.reading is not None and analysis.verdict.reading.decided,
        "uncertain": caption.source == "ocr" and caption.uncertain,
        "quotation": _QUOTED.search(text),
        "playful": playful,
        "irony": text.strip() and not playful,
        "faces": analysis.emotions.faces.faces,
        "effects": analysis.evidence.words or analysis.evidence.regions,
        "speaker": True,
    }
    return tuple(SENTENCES["cautions"][name].format(**values) for name, holds in applies.items() if holds)


def wordless(text: str) -> bool:
    """Whether something is written, and no letter in it."""
    return bool(text.strip()) and not any(character.isalpha() for character in normalize(text).text)


def distance_shown(verdict: Verdict, band: str) -> float:
    """Between the probability and a threshold as they are printed, with two decimals, so that what is read adds up."""
    at: float = getattr(verdict.bands, band)
    return round(abs(round(verdict.probability, 2) - round(at, 2)), 2)


def nearest_band(verdict: Verdict) -> tuple[str, float, float]:
    """The threshold next to the probability: its name in `Bands`, its value, and how far away it is."""
    bands = {"review_from": verdict.bands.review_from, "hateful_from": verdict.bands.hateful_from}
    if bands["review_from"] == bands["hateful_from"]:  # the earlier system never asks for a human look
        del bands["review_from"]
    name = min(bands, key=lambda band: abs(verdict.probability - bands[band]))
    return name, bands[name], abs(verdict.probability - bands[name])
