"""The downloads of an analysis: JSON for machines, and one self-contained HTML file for people.

The HTML is rendered from `report.html.j2`, which escapes every value.
"""

import base64
import io
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL import Image

from components.analyze import overlay
from components.analyze.evidence import strongest
from components.shared import highlighted_words
from components.shared.escaping import shorten
from components.shared.palette import AWAY, NEUTRAL, TOWARD, faint
from components.shared.pictures import fitted
from components.shared.verdict import COLOURS, NAMES, describe, percent, zones
from components.shared.visit import label, took
from models.analysis import Analysis, Verdict
from models.io.language import NAMES as LANGUAGES
from models.scaling import to_size

PICTURES = ("meme", "attention", "regions", "gradient", "faces")
BAND_WIDTH = 600  # units of the SVG
Bar = tuple[str, str, str, str]  # name, length in percent, number, colour


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("report.html.j2")


def build(analysis: Analysis, image: Image.Image | None) -> str:
    """The report; `image` is the picture that was analyzed, or None."""
    text = analysis.caption.text
    cautions, emotions = analysis.explanation.cautions, analysis.emotions
    return _template().render(
        analysis=analysis,
        names=NAMES,
        colours=COLOURS,
        band=_band(analysis.verdict),
        pictures=_pictures(analysis, image) if image is not None else dict.fromkeys(PICTURES),
        explanation=Markup(highlighted_words.sentences(analysis.explanation.text, size="1rem")),
        words=Markup(highlighted_words.attended(text, analysis.attention.words) if text else ""),
        cautions=Markup(highlighted_words.listed(cautions) if cautions else ""),
        word_effects=[(word.text, word.effect) for word in strongest(analysis.evidence.words)],
        text_emotions=_bars((s.label, s.probability, AWAY if s.present else NEUTRAL) for s in emotions.text.scores),
        faces=[_bars((s.label, s.probability, AWAY) for s in face.expressions) for face in emotions.faces.faces],
        language=LANGUAGES.get(analysis.caption.language or "", ""),
        signed=_signed,
        percent=percent,
        stage_label=label,
        took=took,
    )


def _pictures(analysis: Analysis, image: Image.Image) -> dict[str, str | None]:
    """Each of `PICTURES` as a data URL; None for what was not measured."""
    analysis = to_size(analysis, *image.size)
    evidence, grid, faces = analysis.evidence, analysis.attention.regions, analysis.emotions.faces.faces
    gradient = evidence.gradient.regions if evidence.gradient is not None else ()
    drawn = {
        "meme": image,
        "attention": overlay.heat(image, grid) if grid else None,
        "regions": overlay.effects(image, evidence.regions) if evidence.regions else None,
        "gradient": overlay.gradient(image, gradient) if gradient else None,
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
    return [(shorten(name, 60), f"{min(max(p, 0.0), 1.0):.1%}", f"{p:.0%}", colour) for name, p, colour in rows]


def _signed(rows: Sequence[tuple[str, float]]) -> list[Bar]:
    """Bars of effects on the logit, from rows of (label, effect); the strongest has the full length."""
    largest = max((abs(value) for _, value in rows), default=0.0) or 1.0
    return [
        (shorten(name, 60), f"{abs(value) / largest:.1%}", f"{value:+.2f}", TOWARD if value > 0 else AWAY)
        for name, value in rows
    ]


def as_json(analysis: Analysis) -> str:
    """`subtext/1`, indented."""
    return json.dumps(analysis.to_dict(), ensure_ascii=False, indent=2)


def draw_downloads(analysis: Analysis, image: Image.Image | None, name: str) -> None:
    """Two buttons; each file is made when it is asked for."""
    with st.popover("Download", icon=":material/download:"):
        for label, data, file, mime, icon in (
            ("Analysis as JSON", lambda: as_json(analysis), f"subtext-{name}.json", "application/json", "data_object"),
            ("Report as HTML", lambda: build(analysis, image), f"subtext-{name}.html", "text/html", "description"),
        ):
            symbol = f":material/{icon}:"
            st.download_button(label, data, file, mime, icon=symbol, on_click="ignore", width="stretch")
        st.caption("The report is one file with the pictures inside. It opens in any browser, also offline.")
