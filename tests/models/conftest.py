from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from models.analyzer import Analyzer
    from tests.weights_for_tests import Tiny


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """Tiny weights for the whole analyzer, built once."""
    from tests import weights_for_tests  # torch and transformers: only for the tests that need them

    return weights_for_tests.once()


@pytest.fixture
def shelf(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny weights, where the library looks for its own."""
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
    return tiny


@pytest.fixture(scope="session")
def tiny_analyzer(tiny: Tiny) -> Analyzer:
    from models.analyzer import Analyzer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))
        return Analyzer(threads=1)
