"""Which folders of `weights/` hold a multitask model."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.classifiers.multitask import names


@pytest.mark.parametrize("content", ["[]", "null", "{", '{"kind": "hate"}', "\x80"])
def test_a_configuration_that_is_not_a_multitask_models_is_passed_over(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, written in {"damaged": content, "whole": '{"kind": "system"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(written, encoding="latin-1")
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    assert names() == ("whole",)
