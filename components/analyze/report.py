"""The analysis as one self-contained HTML file, rendered from `report.html.j2`, which escapes every value."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image

from components.analyze import gradient, overlay
from components.analyze.evidence import strongest
from components.shared import highlighted_words
from components.shared.escaping import shorten
from components.shared.palette import AWAY, BETWEEN, NEUTRAL, TOWARD, faint
from components.shared.pictures import fitted
from components.shared.stages import label, took
from components.shared.verdict import NAMES, describe, percent, zones
from models.analysis import Analysis, Verdict

MAX_FACES = 12
PICTURES = ("meme", "attention", "regions", "gradient", "faces")
BAND_WIDTH = 600  # units of the SVG
Bar = tuple[str, str, str, str]  # name, length in percent, number, colour


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html.j2")


def build(analysis: Analysis, image: Image.Image | None) -> str:
    """The report; `image` is the picture that was analyzed, or None."""
    verdict, evidence, text = analysis.verdict, analysis.evidence, analysis.caption.text
    return _template().render(
        analysis=analysis,
        verdict=verdict,
        shapley=evidence.shapley,
        profile=analysis.profile,
        label=NAMES[verdict.label],
        names=NAMES,
        colour={"hateful": TOWARD, "needs_review": BETWEEN, "not_hateful": AWAY}[verdict.label],
        band=_band(verdict),
        pictures=_pictures(analysis, image) if image is not None else dict.fromkeys(PICTURES),
        explanation=Markup(highlighted_words.plain(analysis.explanation.text, size="1rem")),
        words=Markup(highlighted_words.attended(text, analysis.attention.words) if text else ""),
        cautions=Markup(highlighted_words.listed(analysis.explanation.cautions))
        if analysis.explanation.cautions
        else "",
        word_effects=[(word.text, word.effect) for word in strongest(evidence.words)],
        text_emotions=_bars(
            (score.label, score.probability, AWAY if score.present else NEUTRAL)
            for score in analysis.emotions.text.scores
        ),
        faces=[
            _bars((score.label, score.probability, AWAY) for score in face.expressions)
            for face in analysis.emotions.faces.faces[:MAX_FACES]
        ],
        signed=_signed,
        percent=percent,
        stage_label=label,
        took=took,
    )


def _pictures(analysis: Analysis, image: Image.Image) -> dict[str, str | None]:
    """Each of `PICTURES` as a data URL; None for what was not measured."""
    evidence, faces = analysis.evidence, analysis.emotions.faces.faces
    drawn = {
        "meme": image,
        "attention": overlay.heat(image, analysis.attention.regions) if analysis.attention.regions else None,
        "regions": overlay.effects(image, evidence.regions) if evidence.regions else None,
        "gradient": gradient.picture(evidence.gradient, image)
        if evidence.gradient is not None and evidence.gradient.regions
        else None,
        "faces": overlay.faces(image, faces) if faces else None,
    }
    return {name: None if picture is None else _data_url(picture) for name, picture in drawn.items()}


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    fitted(image, 900).save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _band(verdict: Verdict) -> dict[str, Any]:
    """Positions for the SVG of the probability against both bands."""
    x = verdict.probability * BAND_WIDTH
    anchor = "end" if x > 500 else "start"
    middle = (verdict.bands.review_from + verdict.bands.hateful_from) / 2 * BAND_WIDTH
    return {
        "description": describe(verdict),
        "zones": [
            (f"{start * BAND_WIDTH:.1f}", f"{(end - start) * BAND_WIDTH:.1f}", faint(colour, 0.45))
            for _, start, end, colour in zones(verdict.bands)
        ],
        "mark": f"{min(max(x - 2, 0), BAND_WIDTH - 4):.1f}",
        "text": f"{x - 8 if anchor == 'end' else x + 8:.1f}",
        "anchor": anchor,
        "middle": f"{min(max(middle, 190), 430):.1f}",
    }


def _bars(rows: Iterable[tuple[str, float, str]]) -> list[Bar]:
    """Bars of probabilities, from rows of (label, probability, colour)."""
    return [
        (shorten(name, 60), f"{min(max(prob, 0.0), 1.0):.1%}", f"{prob:.0%}", colour) for name, prob, colour in rows
    ]


def _signed(rows: Sequence[tuple[str, float]]) -> list[Bar]:
    """Bars of effects on the logit, as long as their share of the strongest."""
    strongest_effect = max((abs(value) for _, value in rows), default=0.0) or 1.0
    return [
        (shorten(name, 60), f"{abs(value) / strongest_effect:.1%}", f"{value:+.2f}", TOWARD if value > 0 else AWAY)
        for name, value in rows
    ]
