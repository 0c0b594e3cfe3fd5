"""Every network of `weights/` and of the OCR runs in its turn."""

from __future__ import annotations

import threading

from models.analysis import Caption, Meme
from models.analyzer import Analyzer
from models.runtime import turns


def test_a_run_waits_for_its_turn(tiny_analyzer: Analyzer) -> None:
    answers: list[float] = []
    meme = Meme(None, Caption("a plain sentence", "user"))
    thread = threading.Thread(target=lambda: answers.append(tiny_analyzer.score([meme])[0].probability))
    with turns._COMPUTING.take(turns._COMPUTING.units):
        thread.start()
        thread.join(0.5)
        assert not answers
    thread.join(20)
    assert answers
