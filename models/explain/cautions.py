"""What the model cannot know, chosen by what was measured on this meme."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from models.analysis import Analysis, Verdict
from models.explain.facts import Ledger
from models.io.captions import normalize

NEAR = 0.05  # of probability; closer than this to a threshold, small changes may turn the label
FOREIGN = 0.3  # of the letters; more of them outside the Latin script, and the words are hardly English
TINY = 48  # pixels of the shorter side: less than the faces that the expressions were learned from
ENOUGH_WORDS = 8  # so long a caption without one of the words below is hardly English

_COMMON_TEXT = """
a about all am an and are as at be been but by can do don't for from get go had has have he her him his
how i if i'm in is it it's its just like me my no not of off on one or our out she so that the their them
then there they this to up us was we what when who why will with you your
"""
_COMMON = frozenset(_COMMON_TEXT.split())
_QUOTED = re.compile(r"[\"“”«»„]|(?:^|\s)['‘][^'’]+['’](?:\s|$)")
_PLAYFUL = frozenset({"amusement", "joy", "excitement"})


def closing(analysis: Analysis) -> str:
    """The last sentence of the text."""
    unknown = ["who is speaking and to whom", "whether irony is meant", "what came before"]
    if analysis.image is None:
        unknown.append("which picture would stand beside the words")
    sentence = f"The model cannot know {', '.join(unknown[:-1])} or {unknown[-1]}"
    if foreign(analysis.caption.text):
        return f"{sentence}, and it learned from English, which these words may not be."
    if not analysis.caption.text.strip():
        return f"{sentence}, and without words it has little to go by."
    if wordless(analysis.caption.text):
        return f"{sentence}, and signs without letters tell it little."
    return f"{sentence}, and it learned from English only."


def cautions(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """One sentence or two each, the ones about this meme first."""
    text = analysis.caption.text
    band, _, distance = nearest_band(analysis.verdict)
    if distance < NEAR:
        shown = distance_shown(analysis.verdict, band)
        away = f" ({ledger.plain(f'verdict.distance_to.{band}', shown)} away)" if shown else ""
        yield f"The score lies close to a threshold{away}: a small change to the meme may turn the label."
    if foreign(text):
        yield (
            "These words seem not to be English. The model was trained on English: for other languages a high score "
            "may be as wrong as a low one."
        )
    if wordless(text):
        yield (
            "There is not one letter in these words. The model was trained on sentences: emoji, numbers and signs by themselves "
            "can move the score without meaning anything."
        )
    if analysis.image is not None and min(analysis.image.width, analysis.image.height) < TINY:
        yield "The picture is very small: there is little in it to be seen, and the score says little about it."
    if analysis.image is None:
        yield "Only words were given. Beside a picture the same words can mean something else."
    elif not text.strip():
        yield (
            "Only a picture was read. Pictures without words are judged less reliably than words: symbols, gestures "
            "and known persons are mostly not recognised."
        )
    if analysis.caption.source == "ocr" and analysis.caption.uncertain:
        yield "Some words may have been misread from the picture. Correct them, and the score is computed anew."
    if _QUOTED.search(text):
        yield "The words hold a quotation. Words that are quoted to be contradicted may be read as if they were meant."
    if any(score.present and score.label in _PLAYFUL for score in analysis.emotions.text.scores):
        yield "The words sound playful. Jokes can carry hate and irony can look like it: the model tells neither well."
    elif text.strip():
        yield "Irony and sarcasm are often read literally."
    if analysis.emotions.faces.faces:
        yield "An expression is what a face looks like in this picture, not what the person feels."
    if analysis.evidence.words or analysis.evidence.regions:
        yield (
            "The effects tell what moves this model, not what the meme means: without a word or a part the rest may be "
            "something nobody would post."
        )
    yield (
        "The model does not know who is speaking and to whom. Words taken back by the people they once attacked can "
        "look like an attack, and hints that only insiders understand can look harmless."
    )


def wordless(text: str) -> bool:
    """Whether something is written, and no letter in it."""
    return bool(text.strip()) and not any(character.isalpha() for character in normalize(text).text)


def foreign(text: str) -> bool:
    """Whether the words are hardly English: many letters of another script, or a long text without a common word."""
    plain = normalize(text).text.replace("’", "'").casefold()  # letters that only look foreign are folded to Latin
    letters = [character for character in plain if character.isalpha()]
    if not letters:
        return False
    other = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if other > FOREIGN * len(letters):
        return True
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", plain)
    return len(words) >= ENOUGH_WORDS and not _COMMON.intersection(words)


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
