"""The written explanation: fixed slots, each made only of what was measured.

The verdict and how sure; which side carried it; the words and the parts of the picture that moved it most; the emotions
that are there; the harm score where it says something else; what is missing; what cannot be known. Attention is not
among the reasons: it is a view of the model. Every number is a fact (`models/explain/facts.py` tells their names).
"""

from __future__ import annotations

from collections.abc import Iterator

from models.analysis import Analysis, Explanation, Face
from models.explain import reasons
from models.explain.cautions import NEAR, cautions, closing, distance_shown, nearest_band
from models.explain.facts import Ledger, joined

CLEAR = 0.5  # from this probability on an expression is called by its name, and harm is called likely
MAX_EMOTIONS, MAX_FACES = 3, 2

_THRESHOLDS = {"review_from": "the threshold for a human look", "hateful_from": "the threshold for hateful"}
_OPENINGS = {
    "hateful": "This is read as hateful",
    "not_hateful": "This is read as not hateful",
    "needs_review": "This needs a human look: the model is not sure enough to decide",
}
_LOOKS = {"disgust": "disgusted", "fear": "afraid", "surprise": "surprised"}


def write(analysis: Analysis) -> Explanation:
    """The explanation of an analysis whose own is still empty; its text has a line for each paragraph."""
    ledger = Ledger()
    paragraphs = (
        [_verdict(analysis, ledger)],
        reasons.sides(analysis, ledger),
        [*reasons.words(analysis, ledger), *reasons.regions(analysis, ledger)],
        [*_text_emotions(analysis, ledger), *_faces(analysis, ledger), *_harm(analysis, ledger)],
        _missing(analysis, ledger),
        [closing(analysis)],
    )
    text = "\n".join(paragraph for paragraph in map(" ".join, paragraphs) if paragraph)
    warnings = tuple(cautions(analysis, ledger))  # before the facts are read: cautions quote numbers too
    return Explanation(text=text, facts=ledger.facts, cautions=warnings)


def _verdict(analysis: Analysis, ledger: Ledger) -> str:
    """The label, the probability, and the distance to the nearest threshold."""
    verdict = analysis.verdict
    nearest, at, distance = nearest_band(verdict)
    shown = distance_shown(verdict, nearest)
    probability = ledger.plain("verdict.probability", verdict.probability)
    threshold = f"{_THRESHOLDS[nearest]}, {ledger.plain(f'verdict.bands.{nearest}', at)}"
    if not shown:
        where = f"right at {threshold}"
    else:
        side = "above" if verdict.probability >= at else "below"
        only = "only " if distance < NEAR else ""
        where = f"{only}{ledger.plain(f'verdict.distance_to.{nearest}', shown)} {side} {threshold}"
    opening = _OPENINGS[verdict.label]
    return f"{opening}. The calibrated probability that it is hateful is {probability}, {where}."


def _text_emotions(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    emotions = analysis.emotions.text
    if emotions.status != "ok":
        return
    present = [(index, score) for index, score in enumerate(emotions.scores) if score.present]
    felt = [(index, score) for index, score in present if score.label != "neutral"]
    if felt:
        named = [
            f"{score.label} ({ledger.plain(f'emotions.text.scores[{index}].probability', score.probability)})"
            for index, score in felt[:MAX_EMOTIONS]
        ]
        yield f"The words carry {joined(named)}."
    elif present:
        index, neutral = present[0]
        shown = ledger.plain(f"emotions.text.scores[{index}].probability", neutral.probability)
        yield f"The words read as neutral ({shown}), with no emotion clearly there."
    else:
        yield "No emotion is clearly there in the words."


def _faces(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    faces = analysis.emotions.faces
    if faces.status != "ok" or not faces.faces:
        return
    count = ledger.count("emotions.faces.faces", faces.faces)
    looks = [
        _look(face, f"emotions.faces.faces[{index}]", ledger) for index, face in enumerate(faces.faces[:MAX_FACES])
    ]
    if len(faces.faces) == 1:
        yield f"{count} face was found; it {looks[0]}."
    else:
        shown = zip(("the largest", "the next"), looks, strict=False)
        yield f"{count} faces were found; {', '.join(f'{which} {look}' for which, look in shown)}."


def _look(face: Face, name: str, ledger: Ledger) -> str:
    if not face.expressions:
        return "was not read for its expression"
    index = max(range(len(face.expressions)), key=lambda place: face.expressions[place].probability)
    likeliest = face.expressions[index]
    look = _LOOKS.get(likeliest.label, likeliest.label)
    shown = ledger.plain(f"{name}.expressions[{index}].probability", likeliest.probability)
    if likeliest.probability >= CLEAR:
        return f"looks {look} ({shown})"
    return f"has no clear expression, {look} being the likeliest ({shown})"


def _harm(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The harm score, where it does not say the same as the verdict."""
    if analysis.harm is None:
        return
    label, harm = analysis.verdict.label, analysis.harm.probability
    if harm >= CLEAR and label != "hateful":
        shown = ledger.plain("harm.probability", harm)
        yield (
            f"The harm score says something else: at {shown} this is likely harmful as the HarMeme annotators used the "
            "word, which takes in mockery of single people and dangerous claims, and is not the same as hate."
        )
    elif harm < CLEAR and label == "hateful":
        shown = ledger.plain("harm.probability", harm)
        yield (
            f"The harm score is low at {shown}: it was learned from memes about the pandemic and says little about "
            "attacks on people for what they are."
        )


def _missing(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """What was not there, what could not be read, what failed and what was switched off."""
    caption, emotions = analysis.caption, analysis.emotions
    if analysis.image is None:
        yield "There is no picture."
    if not caption.text.strip():
        yield "There are no words."
    if analysis.image is not None and emotions.faces.status in ("no_face", "ok") and not emotions.faces.faces:
        yield "No face was found in the picture."
    if caption.source == "ocr" and caption.uncertain:
        count = ledger.count("caption.uncertain", caption.uncertain)
        places = "place" if len(caption.uncertain) == 1 else "places"
        yield f"The text recognition (OCR) was unsure in {count} {places}."
    reading = "failed" if any(stage.name == "ocr" and stage.status == "failed" for stage in analysis.stages) else "ok"
    parts = {
        "the emotions in the words": emotions.text.status,
        "the faces": emotions.faces.status,
        "what moved the score": analysis.evidence.status,
        "the view of the attention": analysis.attention.status,
        "reading the words on the picture": reading,
        **{f"the lens {name.replace('_', ' ')}": lens.status for name, lens in analysis.lenses.items()},
    }
    if failed := [part for part, status in parts.items() if status == "failed"]:
        yield f"Failed on this meme: {joined(failed)}."
    measured = ("the emotions in the words", "the faces", "what moved the score")
    if off := [part for part in measured if parts[part] == "off"]:
        yield f"Not looked at: {joined(off)}."
