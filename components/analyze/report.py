"""The analysis as one self-contained HTML file: pictures inside, no script, no request, light and dark, fit to print.

Every string that is not written in this file goes through `for_html`. A content policy in the file's head forbids
scripts and requests once more.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

from PIL import Image

from components.analyze import gradient
from components.analyze.evidence import strongest
from components.shared import highlighted_words, overlay
from components.shared.escaping import for_html, shorten
from components.shared.palette import AWAY, BETWEEN, NEUTRAL, TOWARD, faint
from components.shared.pictures import fitted
from components.shared.stages import label, took
from components.shared.verdict import NAMES, describe, percent, zones
from models.analysis import Analysis, Harm, Verdict

_STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf6; --text: #22262e; --soft: #5c6068; --line: #d9d4c7; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181d; --text: #eceae4; --soft: #a8acb3; --line: #39404a; } }
body { background: var(--ground); color: var(--text); font: 16px/1.55 "Source Sans 3", system-ui, sans-serif;
  max-width: 60rem; margin: 2rem auto; padding: 0 1.2rem; }
h1, h2 { font-family: "Source Serif 4", Georgia, serif; line-height: 1.2; }
h2 { margin-top: 2.2rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 1.2rem; }
figure { margin: 0; } img { max-width: 100%; max-height: 30rem; border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td, th { padding: .2rem .5rem .2rem 0; text-align: left; vertical-align: middle; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 4rem; }
td.track { width: 45%; } .track i { display: block; height: .7rem; border-radius: .2rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--text); font-size: 12px; }
* { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
@media print { body { margin: 0; max-width: none; } figure, tr, svg { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; } }
"""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def _picture(image: Image.Image, alt: str, said: str) -> str:
    held = io.BytesIO()
    fitted(image, 900).save(held, "JPEG", quality=85)
    data = base64.b64encode(held.getvalue()).decode("ascii")
    return (
        f'<figure><img src="data:image/jpeg;base64,{data}" alt="{for_html(alt)}">'
        f"<figcaption>{for_html(said)}</figcaption></figure>"
    )


def _band(verdict: Verdict) -> str:
    """The probability against both bands, as SVG."""
    parts = [
        f'<rect x="{start * 600:.1f}" y="22" width="{(end - start) * 600:.1f}" height="26" '
        f'fill="{faint(colour, 0.45)}"/>'
        for _, start, end, colour in zones(verdict.bands)
    ]
    at = verdict.probability * 600
    anchor = "end" if at > 500 else "start"
    parts.append(f'<rect x="{min(max(at - 2, 0), 596):.1f}" y="16" width="4" height="38" fill="currentColor"/>')
    shift = at - 8 if anchor == "end" else at + 8
    parts.append(
        f'<text x="{shift:.1f}" y="14" text-anchor="{anchor}" font-weight="700">{percent(verdict.probability)}</text>'
    )
    middle = min(max((verdict.bands.review_from + verdict.bands.hateful_from) * 300, 190), 430)
    parts.append(f'<text x="0" y="66">{NAMES["not_hateful"]}</text>')
    parts.append(f'<text x="{middle:.1f}" y="66" text-anchor="middle">{NAMES["needs_review"]}</text>')
    parts.append(f'<text x="600" y="66" text-anchor="end">{NAMES["hateful"]}</text>')
    return f'<svg viewBox="0 0 600 72" role="img" aria-label="{for_html(describe(verdict))}">{"".join(parts)}</svg>'


def _bars(rows: Iterable[tuple[str, float, str, str]]) -> str:
    """Rows of (label, length 0-1, what stands beside it, colour)."""
    lines = [
        f'<tr><td dir="auto">{for_html(shorten(name, 60))}</td><td class="track">'
        f'<i style="width:{min(max(length, 0.0), 1.0):.1%};background:{colour}"></i></td>'
        f'<td class="number">{for_html(number)}</td></tr>'
        for name, length, number, colour in rows
    ]
    return f"<table>{''.join(lines)}</table>"


def _signed(rows: Sequence[tuple[str, float]]) -> str:
    most = max((abs(value) for _, value in rows), default=0.0) or 1.0
    return _bars((name, abs(value) / most, f"{value:+.2f}", TOWARD if value > 0 else AWAY) for name, value in rows)


def _absent(detail: str, otherwise: str) -> str:
    return f'<p class="soft">{for_html(detail or otherwise)}</p>'


def _seen(analysis: Analysis, image: Image.Image | None) -> str:
    parts = []
    if image is not None:
        parts.append(_picture(image, "The meme", "The meme"))
        if analysis.attention.regions:
            said = "Where the model looks (a view into it, not the reason for its answer)"
            parts.append(_picture(overlay.heat(image, analysis.attention.regions), "The meme under a heat", said))
    source = {"ocr": "read from the picture by OCR", "override": "written by the user", "none": "no words"}
    said = f'<p class="soft">Source: {source[analysis.caption.source]}.</p>'
    text = analysis.caption.text
    drawn = highlighted_words.attended(text, analysis.attention.words) if text else ""
    return f'<div class="pair">{"".join(parts)}</div><h2>Words</h2>{drawn}{said}'


def _evidence(analysis: Analysis, image: Image.Image | None) -> str:
    evidence = analysis.evidence
    if evidence.shapley is None:
        return _absent(evidence.detail, "What moved the score was not measured.")
    shapley = evidence.shapley
    rows = [("Picture", shapley.image), ("Words", shapley.text), ("Interaction (half in each)", shapley.interaction)]
    parts = [
        f"<p>Without picture and words the logit is {shapley.base:.2f}, with them {shapley.total:.2f}. "
        "Positive leans toward hateful.</p>",
        _signed(rows),
    ]
    if evidence.words:
        parts.append("<h3>Without each word</h3>")
        parts.append(_signed([(word.text, word.effect) for word in strongest(evidence.words)]))
    said = "Red pushes toward hateful, blue-green away from it"
    if evidence.regions and image is not None:
        parts.append("<h3>Covering each region</h3>")
        parts.append(_picture(overlay.effects(image, evidence.regions), "The meme, regions tinted by effect", said))
    if evidence.gradient is not None and evidence.gradient.regions and image is not None:
        parts.append(f'<h3>Gradient times input</h3><p class="soft">{for_html(analysis.attention.detail)}</p>')
        parts.append(_picture(gradient.picture(evidence.gradient, image), "The meme, cells tinted by gradient", said))
    return "".join(parts)


def _emotions(analysis: Analysis, image: Image.Image | None) -> str:
    text, faces = analysis.emotions.text, analysis.emotions.faces
    parts = ["<h3>In the words</h3>"]
    if text.scores:
        parts.append('<p class="soft">Those above their thresholds come first, in colour.</p>')
        parts.append(
            _bars(
                (score.label, score.probability, f"{score.probability:.0%}", AWAY if score.present else NEUTRAL)
                for score in text.scores
            )
        )
    else:
        parts.append(_absent(text.detail, "No text found."))
    parts.append("<h3>In the faces</h3>")
    if faces.faces and image is not None:
        parts.append(_picture(overlay.faces(image, faces.faces), "The meme, each face boxed", "Faces by number"))
        for number, face in enumerate(faces.faces[:12], start=1):
            parts.append(f"<h4>Face {number}</h4>")
            parts.append(
                _bars((one.label, one.probability, f"{one.probability:.0%}", AWAY) for one in face.expressions)
            )
    else:
        parts.append(_absent(faces.detail, "No face found." if image is not None else "No picture."))
    return "".join(parts)


def _made(analysis: Analysis) -> str:
    rows = "".join(
        f'<tr><td>{for_html(label(stage.name))}</td><td class="number">{took(stage.ms or 0.0)}</td></tr>'
        for stage in analysis.stages
    )
    weights = "".join(
        f"<tr><td>{for_html(name)}</td><td><code>{for_html(digest[:16])}</code></td></tr>"
        for name, digest in analysis.profile.weights.items()
    )
    profile = analysis.profile
    return (
        f"<p>Profile {for_html(profile.name)} on {for_html(profile.device)} ({for_html(profile.dtype)}), "
        f"{profile.parameters:,} parameters, schema {for_html(analysis.schema)}.</p>"
        f'<div class="pair"><table>{rows}</table><table>{weights}</table></div>'
    )


def _harm(harm: Harm | None) -> str:
    if harm is None:
        return '<p class="soft">This profile was trained for hate alone.</p>'
    said = f"Harmful, as HarMeme's annotators would judge it: {percent(harm.probability)}."
    return f'<p class="soft">{said} {for_html(harm.meaning)}</p>'


def build(analysis: Analysis, image: Image.Image | None) -> str:
    """The report; `image` is the picture that was analyzed, or None."""
    verdict = analysis.verdict
    colour = {"hateful": TOWARD, "needs_review": BETWEEN, "not_hateful": AWAY}[verdict.label]
    cautions = highlighted_words.listed(analysis.explanation.cautions) if analysis.explanation.cautions else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>Subtext: {NAMES[verdict.label]}</title>
<style>{_STYLE}</style>
</head>
<body>
<p class="soft">Subtext report. It quotes and shows the meme.</p>
<h1 style="border-left:.5rem solid {colour};padding-left:.8rem">{NAMES[verdict.label]}</h1>
{_band(verdict)}
<p>{for_html(verdict.meaning)}</p>
{highlighted_words.plain(analysis.explanation.text, size="1rem")}
{_harm(analysis.harm)}
{_seen(analysis, image)}
<h2>What moved the score</h2>
{_evidence(analysis, image)}
<h2>Emotions</h2>
{_emotions(analysis, image)}
<h2>What to be careful about</h2>
{cautions}
<h2>How it was made</h2>
{_made(analysis)}
</body>
</html>
"""
