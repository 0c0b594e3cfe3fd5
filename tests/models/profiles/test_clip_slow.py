"""CLIP ViT-B/32, RoBERTa-base and ViT-base at full size with random weights, from file to analysis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.full_size import random_weights
from models.analysis import Analysis, Caption, Meme
from models.analyzer import Analyzer
from models.profiles import registry

FACES = Path(__file__).resolve().parents[3] / "assets" / "gallery" / "went_first.webp"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with random_weights():
        yield Analyzer("auto")


@pytest.mark.slow
def test_a_meme_goes_all_the_way(analyzer: Analyzer) -> None:
    analysis = analyzer.analyze(Meme(Image.open(FACES).convert("RGB"), Caption("who went first", "override")))
    assert analysis.profile.name == "clip"
    assert registry.HEAD in analysis.profile.weights
    assert analysis.profile.parameters > 350_000_000
    assert [stage.status for stage in analysis.stages] == ["ok"] * len(analysis.stages)
    assert len(analysis.attention.word_regions) == 3
    assert len(analysis.emotions.text.scores) == 28
    assert analysis.emotions.faces.status == "ok"
    assert Analysis.from_dict(json.loads(json.dumps(analysis.to_dict()))) == analysis
