"""The written explanation: fixed slots, each made only of what was measured.

The verdict and how sure; which side carried it; the words and the parts of the picture that moved it most; the emotions
that are there; the harm score where it says something else; what is missing; what cannot be known. What moved the score
comes from `Analysis.evidence`, where each effect was measured by taking something away. Attention is not among the
reasons: it is a view of the model. Every number is a fact (`models/explain/facts.py` tells their names).
"""

from collections.abc import Iterator, Sequence

from models.analysis import Analysis, Box, Explanation, Face, ImageInfo, RegionEffect, WordEffect
from models.classifiers.heads import sigmoid
from models.explain.cautions import NEAR, cautions, closing, distance_shown, nearest_band
from models.explain.facts import SENTENCES, Ledger, joined, shortened

CLEAR = 0.5  # from this probability on an expression is called by its name, and harm is called likely
NOTABLE = 0.1  # logits; a smaller effect is not told as a reason
MAX_WORDS, MAX_REGIONS, MAX_EMOTIONS, MAX_FACES, MAX_CHANGES = 3, 2, 3, 2, 3


def write(analysis: Analysis) -> Explanation:
    """The explanation of an analysis whose own is still empty; its text has a line for each paragraph."""
    ledger = Ledger()
    paragraphs = (
        [*_verdict(analysis, ledger), *_reading(analysis, ledger)],
        _sides(analysis, ledger),
        [*_words(analysis, ledger), *_regions(analysis, ledger)],
        [*_text_emotions(analysis, ledger), *_faces(analysis, ledger), *_harm(analysis, ledger)],
        _missing(analysis, ledger),
        [closing(analysis)],
    )
    text = "\n".join(filter(None, map(" ".join, paragraphs)))
    warnings = cautions(analysis, ledger)  # before the facts are read: cautions quote numbers too
    return Explanation(text=text, facts=ledger.facts, cautions=warnings)


def _verdict(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The label, the probability, and the distance to the nearest threshold."""
    verdict = analysis.verdict
    nearest, at, distance = nearest_band(verdict)
    shown = distance_shown(verdict, nearest)
    probability = ledger.plain("verdict.probability", verdict.probability)
    threshold = f"{SENTENCES['thresholds'][nearest]}, {ledger.plain(f'verdict.bands.{nearest}', at)}"
    where = f"right at {threshold}"
    if shown:
        side = "above" if verdict.probability >= at else "below"
        only = "only " if distance < NEAR else ""
        where = f"{only}{ledger.plain(f'verdict.distance_to.{nearest}', shown)} {side} {threshold}"
    opening = SENTENCES["openings"]["unmeasured" if verdict.decided_by == "language" else verdict.label]
    yield f"{opening}. The calibrated probability that it is hateful is {probability}, {where}."


def _reading(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """Another spelling that the words may have, and which of the two decided."""
    reading = analysis.verdict.reading
    if reading is None:
        return
    quoted = [
        ledger.quote(f"verdict.reading.changes[{number}].text", change.text)
        for number, change in enumerate(reading.changes[:MAX_CHANGES])
    ]
    if len(reading.changes) > MAX_CHANGES:
        quoted.append("others")
    sentence = SENTENCES["reading"]["other" if reading.decided else "written"]
    name = "probability_as_written" if reading.decided else "probability"
    probability = ledger.plain(f"verdict.reading.{name}", getattr(reading, name))
    yield sentence.format(quoted=joined(quoted), probability=probability)


def _sides(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """Which side carried the score, by the Shapley values."""
    shapley = analysis.evidence.shapley
    if shapley is None:
        return
    base, total = (ledger.plain(f"evidence.shapley.{name}", getattr(shapley, name)) for name in ("base", "total"))
    sides = {"image": analysis.image is not None, "text": analysis.caption.text.strip()}
    moved = [ledger.signed(f"evidence.shapley.{side}", getattr(shapley, side)) for side in sides if sides[side]]
    if len(moved) == 1:
        side = "picture" if sides["image"] else "words"
        yield f"Only the {side} could be judged, moving the logit by {moved[0]}, from {base} to {total}."
        return
    picture, words = abs(shapley.image), abs(shapley.text)
    if max(picture, words) < NOTABLE:
        relation = "neither"
    elif words >= 2 * picture:
        relation = "words"
    elif picture >= 2 * words:
        relation = "picture"
    else:
        relation = "together" if shapley.image * shapley.text > 0 else "apart"
    sentence = SENTENCES["sides"][relation].format(picture=moved[0], words=moved[1])
    yield f"{sentence}, from {base} without either to {total} with both (plus is toward hateful)."
    if abs(shapley.interaction) >= NOTABLE:
        together = ledger.signed("evidence.shapley.interaction", shapley.interaction)
        yield f"What they say only together is worth {together}, shared equally between them in these figures."


def _words(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The words that moved the score most, those toward hateful first, and the score without each."""
    words = analysis.evidence.words
    names = [shortened(word.text).casefold() for word in words]
    strongest = _strongest(words, names, MAX_WORDS)
    if any(names) and not strongest:
        yield "No word, left out by itself, moved the score noticeably."
    for sign, verb in ((1, "pushed most toward hateful"), (-1, "pulled most away from hateful")):
        for number, index in enumerate(index for index in strongest if words[index].effect * sign > 0):
            quoted = ledger.quote(f"evidence.words[{index}].text", words[index].text)
            change = _change(analysis, ledger, f"evidence.words[{index}]", words[index].effect)
            if number:
                yield f"Without {quoted} {change}."
            elif len(words[index].text.split()) > 1:
                yield f"The words that {verb} are {quoted}: without them {change}."
            else:
                yield f"The word that {verb} is {quoted}: without it {change}."


def _regions(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The parts of the picture that moved the score most, and the score with each covered."""
    image, regions = analysis.image, analysis.evidence.regions
    if image is None or not regions:
        return
    places = [place(region.box, image) for region in regions]
    strongest = _strongest(regions, places, MAX_REGIONS)
    if not strongest:
        yield "No part of the picture, covered by itself, moved the score noticeably."
    for index in strongest:
        direction = "pushes toward" if regions[index].effect > 0 else "pulls away from"
        change = _change(analysis, ledger, f"evidence.regions[{index}]", regions[index].effect)
        yield f"A part {places[index]} of the picture {direction} hateful: with it covered {change}."


def place(box: Box, image: ImageInfo) -> str:
    """Where a box lies in the picture, in words: the third that its middle falls into, across and down."""
    column, row = (
        min(2, max(0, int(3 * (near + far) / 2 / side)))
        for near, far, side in ((box[0], box[2], image.width), (box[1], box[3], image.height))
    )
    name: str = SENTENCES["places"]["by_row"][row][column]
    return name


def _strongest(effects: Sequence[WordEffect | RegionEffect], names: Sequence[str], most: int) -> list[int]:
    """Indices of the notable effects, strongest first; one of those with the same name, none of those without a name."""
    strongest: dict[str, int] = {}
    for index in sorted(range(len(effects)), key=lambda index: -abs(effects[index].effect)):
        if names[index] and abs(effects[index].effect) >= NOTABLE:
            strongest.setdefault(names[index], index)
    return list(strongest.values())[:most]


def _change(analysis: Analysis, ledger: Ledger, name: str, effect: float) -> str:
    """What the probability becomes without something; where rounding hides that, the effect on the logit."""
    before = ledger.plain("verdict.probability", analysis.verdict.probability)
    without = float(sigmoid(analysis.verdict.logit - effect))
    if f"{without:z.2f}" == before:
        moved = ledger.signed(f"{name}.effect", effect)
        return f"the probability still rounds to {before} (its effect on the logit is {moved})"
    return f"the probability goes from {before} to {ledger.plain(f'{name}.probability_without', without)}"


def _text_emotions(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    emotions = analysis.emotions.text
    if emotions.status != "ok":
        return
    present = [index for index, score in enumerate(emotions.scores) if score.present]
    felt = [index for index in present if emotions.scores[index].label != "neutral"]
    shown = {
        index: ledger.plain(f"emotions.text.scores[{index}].probability", emotions.scores[index].probability)
        for index in (felt[:MAX_EMOTIONS] or present[:1])
    }
    if felt:
        yield f"The words carry {joined([f'{emotions.scores[index].label} ({p})' for index, p in shown.items()])}."
    elif present:
        yield f"The words read as neutral ({shown[present[0]]}), with no emotion clearly there."
    else:
        yield "No emotion is clearly there in the words."


def _faces(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    faces = analysis.emotions.faces.faces
    if analysis.emotions.faces.status != "ok" or not faces:
        return
    count = ledger.count("emotions.faces.faces", faces)
    looks = [_look(face, f"emotions.faces.faces[{index}]", ledger) for index, face in enumerate(faces[:MAX_FACES])]
    if len(faces) == 1:
        yield f"{count} face was found; it {looks[0]}."
    else:
        yield f"{count} faces were found; the largest {looks[0]}, the next {looks[1]}."


def _look(face: Face, name: str, ledger: Ledger) -> str:
    if not face.expressions:
        return "was not read for its expression"
    index, likeliest = max(enumerate(face.expressions), key=lambda item: item[1].probability)
    look = SENTENCES["looks"].get(likeliest.label, likeliest.label)
    shown = ledger.plain(f"{name}.expressions[{index}].probability", likeliest.probability)
    if likeliest.probability >= CLEAR:
        return f"looks {look} ({shown})"
    return f"has no clear expression, {look} being the likeliest ({shown})"


def _harm(analysis: Analysis, ledger: Ledger) -> Iterator[str]:
    """The harm score, where it does not say the same as the verdict."""
    if analysis.harm is None:
        return
    likely = analysis.harm.probability >= CLEAR
    if likely != (analysis.verdict.label == "hateful"):
        shown = ledger.plain("harm.probability", analysis.harm.probability)
        yield SENTENCES["harm"]["high" if likely else "low"].format(harm=shown)


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
        yield f"The text recognition (OCR) was unsure in {count} {'place' if count == '1' else 'places'}."
    reading = "failed" if any(stage.name == "ocr" and stage.status == "failed" for stage in analysis.stages) else "ok"
    measured = {
        "the emotions in the words": emotions.text.status,
        "the faces": emotions.faces.status,
        "what moved the score": analysis.evidence.status,
    }
    parts = {
        **measured,
        "the view of the attention": analysis.attention.status,
        "reading the words on the picture": reading,
        **{f"the lens {name.replace('_', ' ')}": lens.status for name, lens in analysis.lenses.items()},
    }
    if failed := [part for part, status in parts.items() if status == "failed"]:
        yield f"Failed on this meme: {joined(failed)}."
    if off := [part for part, status in measured.items() if status == "off"]:
        yield f"Not looked at: {joined(off)}."
