"""Tiny towers to train multitask models on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from training.backbones import mini
from training.backbones import registry as backbones
from training.backbones.base import BackboneUnavailable

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny


@pytest.fixture
def shelf(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Tiny towers that multitask models are trained on and written beside, with no hub in reach."""
    root = tmp_path / "weights"
    root.mkdir()
    for name in ("mini_picture", "mini_words", "mini_vocabulary", "minilm_vocabulary"):
        (root / name).symlink_to(tiny.root / name)
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(root))
    mini.shipped.cache_clear()
    real = backbones.build

    def offline(modality: Any, config: Any, cache: Path) -> Any:
        if config.encoder.partition(":")[0] in {"hf", "open_clip"} or config.encoder.startswith("torchvision"):
            raise BackboneUnavailable("There is no connection in tests.")
        return real(modality, config, cache)

    monkeypatch.setattr(backbones, "build", offline)
    yield root
    mini.shipped.cache_clear()
