"""What the tests of the pages share: a `weights/` with small trained models."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Path:
    """`weights/` with four small multitask models, their metrics and predictions."""
    import streamlit as st

    from components.compare import comparison
    from tests import systems_for_tests

    st.cache_data.clear()
    comparison.load_model.cache_clear()  # type: ignore[attr-defined]
    root = systems_for_tests.once()
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(root))
    monkeypatch.delenv("SUBTEXT_DATA", raising=False)
    return root
