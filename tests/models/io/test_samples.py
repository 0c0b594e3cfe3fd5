"""Samples are read with care: missing files are left out, none outside is opened."""

import json
from pathlib import Path

from models.io.samples import samples
from tests.conftest import drawn


def test_samples_come_in_the_order_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(drawn())
    (tmp_path / "a.png").write_bytes(drawn())
    names = ["b.png", "missing.png", "a.png", "../a.png"]
    (tmp_path / "gallery.json").write_text(json.dumps([{"file": name, "title": name, "alt": "x"} for name in names]))
    assert [sample.file for sample in samples(tmp_path)] == [tmp_path / "b.png", tmp_path / "a.png", tmp_path / "a.png"]


def test_no_list_is_no_gallery(tmp_path: Path) -> None:
    assert samples(tmp_path) == ()
