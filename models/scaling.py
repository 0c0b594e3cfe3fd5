"""An analysis's boxes in pixels of the same picture at another size: models see large pictures shrunk."""

from dataclasses import replace
from typing import TypeVar

from models.analysis import Analysis, Box, Face, Line, RegionEffect

Boxed = TypeVar("Boxed", Line, Face, RegionEffect)


def to_size(analysis: Analysis, width: int, height: int) -> Analysis:
    """The analysis with the boxes of lines, faces and regions in pixels of its picture at that size.

    >>> to_size(analysis, *picture.image.size)  # to draw its boxes on a picture that was shrunk
    """
    if analysis.image is None or (width, height) == (analysis.image.width, analysis.image.height):
        return analysis
    across, down = width / analysis.image.width, height / analysis.image.height

    def scaled(items: tuple[Boxed, ...]) -> tuple[Boxed, ...]:
        return tuple(replace(item, box=_stretched(item.box, across, down)) for item in items)

    caption, emotions, evidence = analysis.caption, analysis.emotions, analysis.evidence
    return replace(
        analysis,
        image=replace(analysis.image, width=width, height=height),
        caption=replace(caption, lines=scaled(caption.lines)),
        emotions=replace(emotions, faces=replace(emotions.faces, faces=scaled(emotions.faces.faces))),
        evidence=replace(evidence, regions=scaled(evidence.regions)),
    )


def _stretched(box: Box, across: float, down: float) -> Box:
    left, top, right, bottom = box
    return left * across, top * down, right * across, bottom * down
