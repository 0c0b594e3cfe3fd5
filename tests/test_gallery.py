"""The gallery's list, its files and the script that draws them say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ASSETS = Path(__file__).resolve().parents[1] / "assets"
GALLERY = ASSETS / "gallery"
ENTRIES = json.loads((GALLERY / "gallery.json").read_text(encoding="utf-8"))


def test_the_list_names_every_picture_once() -> None:
    listed = [entry["file"] for entry in ENTRIES]
    assert len(listed) >= 10
    assert sorted(listed) == sorted(path.name for path in GALLERY.glob("*.webp"))
    assert len({entry["title"] for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["file"])
def test_each_sample_is_small_described_and_of_the_gallery_s_width(entry: dict[str, str]) -> None:
    further = {"language", "translation"} if "language" in entry else set()
    assert set(entry) - {"typed"} == {"file", "title", "alt", "caption"} | further
    assert (GALLERY / entry["file"]).stat().st_size <= 80_000
    with Image.open(GALLERY / entry["file"]) as image:
        assert image.format == "WEBP"
        assert 600 <= image.width <= 800
        assert 400 <= image.height <= 800
    assert len(entry["title"]) <= 16
    assert len(entry["alt"].split()) >= 5
    assert entry["alt"].casefold() != entry["title"].casefold()


def test_the_kinds_that_the_page_promises_are_there() -> None:
    captions = {entry["file"]: entry["caption"] for entry in ENTRIES}
    assert captions["no_words.webp"] == ""
    assert captions["mondays.webp"] == "I HATE MONDAYS"
    assert captions["chewing.webp"].startswith("PEOPLE WHO\nCHEW LOUDLY\nSHOULD BE BANNED")
    assert sum("MUSLIM" in caption for caption in captions.values()) == 1
    assert list(captions.values()).count("") == 1


def test_four_samples_are_in_other_languages_and_the_ocr_s_unknown_script_comes_with_its_words() -> None:
    languages = {entry["language"]: entry for entry in ENTRIES if "language" in entry}
    assert set(languages) == {"German", "Spanish", "Arabic", "Chinese"}
    assert [name for name, entry in languages.items() if "typed" in entry] == ["Arabic"]
    assert all(entry["translation"].isascii() for entry in languages.values())


def test_every_source_picture_has_its_licence_written_down() -> None:
    sources = (GALLERY / "sources" / "SOURCES.md").read_text(encoding="utf-8")
    files = {path.name for path in (GALLERY / "sources").glob("*.webp")}
    assert files
    assert files == {line.split("`")[1] for line in sources.splitlines() if line.startswith("| `")}


def test_the_script_draws_what_is_in_the_folder(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(ASSETS / "draw_gallery.py"), "--out", str(tmp_path)], check=True)
    assert (tmp_path / "gallery.json").read_text(encoding="utf-8") == (GALLERY / "gallery.json").read_text(
        encoding="utf-8"
    )
    drawn_here = [entry for entry in ENTRIES if (tmp_path / entry["file"]).is_file()]
    fonts_may_be_missing = {"coffee_pot.webp", "cinema.webp"}
    assert {entry["file"] for entry in ENTRIES if entry not in drawn_here} <= fonts_may_be_missing
    for entry in drawn_here:
        with Image.open(tmp_path / entry["file"]) as drawn, Image.open(GALLERY / entry["file"]) as shipped:
            assert drawn.size == shipped.size
            difference = np.abs(np.asarray(drawn, dtype=float) - np.asarray(shipped, dtype=float))
        assert difference.mean() < 4, f"{entry['file']} is not what the script draws now"  # encoders differ a little
