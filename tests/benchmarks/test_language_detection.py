"""What the benchmark counts: words, right and wrong answers, and what is left to a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import language_samples
from benchmarks.language_detection import accuracy, left_to_a_person
from benchmarks.language_samples import Sample, catalogs

GERMAN = Sample("Der Nachbar backt am Sonntag wieder Kuchen", "de", "hate_multilingual")
TURKISH = Sample("Kedim bütün gün uyuyor", "tr", "django")
CAPITALS = Sample("WHEN THE CAT SLEEPS ALL DAY", "en", "memotion", "in capitals")
SHORT = Sample("lol", "en", "memotion")


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("@ana the cat https://example.org 😀 12", "en", 2),
        ("我的猫整天睡", "zh", 3),
        ("😀 12", "en", 0),
        ("Kaffee & Kuchen", "de", 2),
    ],
)
def test_words(text: str, language: str, words: int) -> None:
    assert Sample(text, language, "templates").words == words


def test_right_wrong_and_undetermined() -> None:
    samples = [GERMAN, GERMAN, GERMAN, TURKISH, CAPITALS, SHORT]
    metrics = accuracy(samples, ["de", "nl", "und", "tr", "en", "und"])
    german = metrics["de, 4-8 words"]
    assert (german["rows"], german["right"], german["wrong"]) == (
        3,
        pytest.approx(1 / 3, abs=1e-4),
        pytest.approx(1 / 3, abs=1e-4),
    )
    assert german["right_low"] < german["right"] < german["right_high"]
    assert metrics["all, 4-8 words"] == german  # those that were not measured are told apart
    assert metrics["other languages, 4-8 words"]["right"] == metrics["in capitals"]["right"] == 1
    assert metrics["memes' captions"] == metrics["en, 1 word"]


def test_what_is_left_to_a_person() -> None:
    shares = left_to_a_person([GERMAN, TURKISH, CAPITALS, SHORT])
    german, turkish = shares["de, 2 words and more"], shares["other languages, 4-8 words"]
    assert (german["measured_on_english"], german["measured_on_eleven"]) == (1, 0)
    assert (turkish["measured_on_english"], turkish["measured_on_eleven"]) == (1, 1)
    assert shares["en, 1 word"] == {"rows": 1, "measured_on_english": 0, "measured_on_eleven": 0}


def test_texts_of_translations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "conf" / "locale" / "tr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    entries = (r'"Kedim \"Minnoş\" uyuyor"', '""\n"bütün "\n"gün"', '"%d gün"')
    catalog = "".join(f'msgid "n"\nmsgstr {entry}\n\n' for entry in entries)
    (folder / "django.po").write_text(catalog, encoding="utf-8")
    (tmp_path / "__init__.py").touch()
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(language_samples.util, "find_spec", lambda name: spec)
    assert [(sample.text, sample.language) for sample in catalogs()] == [
        ('Kedim "Minnoş" uyuyor', "tr"),
        ("bütün gün", "tr"),
    ]
