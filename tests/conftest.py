"""What all tests share: their kinds, a fake in the place of the analyzer, and small drawn pictures."""

from __future__ import annotations

import io
import os
import sys
from contextlib import nullcontext
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # two processes with two threads each would wait for one another on two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, so before the imports below

import pytest
from PIL import Image, ImageDraw

from tests.fakes import FakeAnalyzer, FakeSpace

INTEGRATION = (
    "pages", "serving", "benchmarks", "training", "models/profiles", "models/legacy_checkpoint", "test_documents.py",
    "components/shared/test_engine.py",
)  # fmt: skip
UNIT = (
    "serving/test_settings.py", "training/calibration/test_decision_rules.py",
    "training/engine", "training/metrics", "training/export/test_cards.py",
)  # fmt: skip
"""Of the folders in INTEGRATION, what needs neither a network nor a server all the same."""

FIRST = ("training/multitask", "training/evaluation", "training", "browser")
"""The folders that take longest, in this order: a long file that starts last keeps one process busy and the other idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test as unit or integration by its place, where it has no other kind, and puts the longest files first."""
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        place = item.path.relative_to(root).as_posix()
        return next((number for number, folder in enumerate(FIRST) if place.startswith(folder)), len(FIRST))

    items.sort(key=rank)
    for item in items:
        if item.get_closest_marker("browser") or item.get_closest_marker("slow"):
            continue
        place = item.path.relative_to(root).as_posix()
        trains = place.startswith(INTEGRATION) and not place.startswith(UNIT)
        item.add_marker(pytest.mark.integration if trains else pytest.mark.unit)


def drawn(size: tuple[int, int] = (320, 240), kind: str = "PNG", colour: tuple[int, int, int] = (40, 90, 140)) -> bytes:
    """A small picture as the bytes of a file."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).ellipse((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill=(230, 180, 60))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit puts the script that it runs in `__main__`'s place and leaves it there, and a worker process that a later
    test spawns would run that script again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    """The app's engine answers with this fake, which counts its calls."""
    from components.shared import engine

    fake, space = FakeAnalyzer(), FakeSpace()
    monkeypatch.setattr(engine, "analyzer", lambda: fake)
    monkeypatch.setattr(engine, "lend", lambda: nullcontext(fake))
    monkeypatch.setattr(engine, "joint_space", lambda: space)
    return fake
