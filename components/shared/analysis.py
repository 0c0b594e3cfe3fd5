"""From the visit to its analysis: read the words once a picture, analyze once a caption, keep what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from components.shared.visit import Reading, Visit
from models.analysis import Analysis, Caption, Meme, Stage
from models.errors import PartUnavailable
from models.io import captions

if TYPE_CHECKING:
    from models.analyzer import Analyzer

OnStage = Callable[[Stage], None]


def read(visit: Visit, analyzer: Analyzer, on_stage: OnStage) -> Caption:
    """The meme's caption. The OCR runs once for each picture, and not at all where the user gave the words."""
    if visit.override is not None:
        return captions.from_override(visit.override) if visit.override.strip() else Caption()
    if visit.picture is None:
        return Caption()
    if visit.reading is None:
        on_stage(Stage("ocr"))
        start, problem = time.perf_counter(), ""
        try:
            caption = captions.read(visit.picture.image, None, analyzer.reader)
        except PartUnavailable as error:
            caption, problem = Caption(), str(error)
        done = Stage("ocr", (time.perf_counter() - start) * 1000, "failed" if problem else "ok")
        on_stage(done)
        visit.reading = Reading(caption, done, problem)
    return visit.reading.caption


def run(
    visit: Visit, caption: Caption, analyzer: Analyzer, on_stage: OnStage, lenses: Collection[str] = ()
) -> Analysis:
    """The analysis of the visit's meme with this caption and through these other lenses.

    Raises `SubtextError` where there is nothing to analyze.
    """
    key = (
        visit.name if visit.picture else "",
        caption.text,
        caption.source,
        tuple(sorted(analyzer.info.weights.items())),
        tuple(lenses),
    )
    if key in visit.results:
        return visit.results[key]
    picture = visit.picture
    meme = Meme(picture.image, caption, picture.format, picture.sha256) if picture is not None else Meme(None, caption)
    analysis: Analysis = analyzer.analyze(meme, explain=True, lenses=lenses, on_stage=on_stage)
    if visit.reading is not None:
        analysis = replace(analysis, stages=(visit.reading.stage, *analysis.stages))
    visit.keep(key, analysis)
    return analysis
