"""Samples are read with care: missing files are left out, none outside is opened."""

import json
from pathlib import Path

from models.io.samples import Sample, samples
from tests import wordings
from tests.conftest import drawn


def test_samples_come_in_the_order_of_the_list(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(drawn())
    (tmp_path / "a.png").write_bytes(drawn())
    names = ["b.png", "missing.png", "a.png", "../a.png"]
    (tmp_path / "gallery.json").write_text(json.dumps([{"file": name, "title": name, "alt": "x"} for name in names]))
    assert [sample.file for sample in samples(tmp_path)] == [tmp_path / "b.png", tmp_path / "a.png", tmp_path / "a.png"]


def test_samples_in_other_languages_name_them_and_bring_words_that_the_ocr_cannot_read() -> None:
    in_english = Sample(Path("a.webp"), "A", "x", "hi")
    typed = Sample(Path("b.webp"), "B", "y", "سلام", "Arabic", "peace", typed=True)
    assert (in_english.label, in_english.words, in_english.meaning) == ("A", None, "")
    assert (typed.label, typed.words) == ("B (Arabic)", "سلام")
    assert typed.meaning.startswith(wordings.THE_SAMPLE_SAYS.format(language="Arabic", words="peace"))
    assert wordings.CANNOT_READ_THIS_SCRIPT in typed.meaning


def test_no_list_is_no_gallery(tmp_path: Path) -> None:
    assert samples(tmp_path) == ()
