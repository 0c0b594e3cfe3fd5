"""Other readings: only of words that a list knows, and none of what people write every day."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.io.readings import OtherReading, readings


def read(text: str) -> str | None:
    """The other reading's text, if there is one."""
    other = readings(text)[-1]
    return other.text if isinstance(other, OtherReading) else None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("1mm1gr4nts 4re tr4sh", "immigrants are trash"),
        ("W0m3n, again", "women, again"),
        ("b!tch! a$$", "bitch! ass"),
        ("wom3n's", "women's"),
        ("I h8 Mondays", "I hate Mondays"),
        ("STUP1D", "STUPID"),
        ("m*slims pray", "muslims pray"),
        ("what the f*ck and f**k", "what the fuck and fuck"),
        ("hatethemall", "hate them all"),
        ("#hatethemall", "hate them all"),
        ("#HateThemAll", "Hate Them All"),
        ("#AlleSollenBleiben", "Alle Sollen Bleiben"),
        ("I h a t e you", "I hate you"),
        ("h a t e t h e m a l l", "hate them all"),
        ("the immi grants are here", "the immigrants are here"),
        ("the immi-grants, mus.lims", "the immigrants, muslims"),
        ("so many musilms", "so many muslims"),
    ],
)
def test_a_caption_that_may_be_meant_otherwise(text, other):
    assert read(text) == other


@pytest.mark.parametrize(
    "text",
    [
        "iPhone 13 and PS5", "H2O, CO2 and C6H12O6", "in 4K, 1080p at 60fps", "covid19 and COVID-19", "B2B and P2P sales",
        "the 1st, 2nd, 3rd and 4th", "10am to 5pm, 12:30, 24/7", "$5, 5$, US$ 20, 3.50€, 1,000,000 or 20%", "mp3, mp4 and win7",
        "A1C of 6.1, G4S, C4D", "my top5 songs", "3D on 5G", "2024-01-02", "R2D2 and C3PO", "@anna said hi", "me@site.com",
        "www.site.com/abc1de", "F16s, AK47 and MH370", "an H1B visa", "6ft4in or 5'11", "x2 3x 100k", "Blink182", "K9s only",
        "2*3*4 = 24", "*bold* and a note*", "C++ and C#", "v1.2.3", "I'm, don't, it s, can t", "e.g. this, i.e. that",
        "co-op, x-ray, e-mail, well-known", "San Francisco, El Paso, de la Cruz", "al Qaeda", "ROFL LMAO",
        "Nishit and Shital are coming for dinner.", "Scunthorpe, Essex, Dickinson", "The therapist knows analysis",
        "MacBook, YouTube, iPhone, JavaScript", "Rosenkrantz and Guildenstern", "antisocial, underpaid and harmless",
        "Schmetterlinge fliegen im Garten herum", "je ne sais pas pourquoi il est rendre", "la protesta islamica de la altra",
        "Krankenhaus", "ненавижу понедельники", "我讨厌星期一", "أكره أيام الاثنين", "WHEN THE TESTS PASS", "I HATE MONDAYS",
        "haha :) 😂 <3", "#mondays", "#blessed #tbt", "Room 5, gate B12", "a b c", "", " ",
    ],
)  # fmt: skip
def test_ordinary_captions_are_read_as_they_are_written(text):
    assert read(text) is None


def test_changes_are_told_in_characters_of_the_caption():
    text = "Oh  \u200bk1ll the immi\ngrants"
    other = readings(text)[-1]
    assert isinstance(other, OtherReading)
    assert [(text[c.start : c.end], c.text) for c in other.changes] == [
        ("k1ll", "kill"),
        ("immi\ngrants", "immigrants"),
    ]


@pytest.mark.parametrize(
    ("text", "word", "origin"),
    [
        ("so hatethemall!", "them", "them"),
        ("so #HateThemAll!", "Hate", "Hate"),
        ("so #HateThem!", "Them", "Them"),
        ("#Hate2Them", "Hate2", "Hate2"),
        ("the immi grants", "immigrants", "immi grants"),
        ("1mm1gr4nts", "immigrants", "1mm1gr4nts"),
        ("we h8 it", "hate", "h8"),
        ("I h a t e you", "hate", "h a t e"),
    ],
)
def test_a_word_of_the_reading_leads_back_to_what_is_shown(text, word, origin):
    other = readings(text)[-1]
    start = other.text.index(word)
    assert text[slice(*other.to_shown(start, start + len(word)))] == origin


@settings(deadline=None)
@given(st.text("akils1340@$*#-. \n\u200bKH", max_size=40))
def test_offsets_hold_for_any_reading(text):
    for said in readings(text):
        assert len(said.text) == len(said.origins)
        assert all(0 <= start <= end <= len(text) for start, end in said.origins)


def test_without_the_word_list_nothing_is_guessed_but_hidden_words_and_hashtags(monkeypatch):
    monkeypatch.setattr("models.io.readings.word_costs", lambda count: {})
    assert [read(text) for text in ("hatethemall", "w0rk", "so many musilms")] == [None] * 3
    assert [read(text) for text in ("k1ll", "#HateThemAll")] == ["kill", "Hate Them All"]


@pytest.mark.parametrize("repeated", ["a1", "k1ll ", "qwertyuiopasdf", "#*a", "a*", "a-b.", "#aB", "killthemall "])
def test_the_longest_caption_is_read_in_time(repeated):
    text = (repeated * 10_000)[:10_000]
    start = time.process_time()
    readings(text)
    assert time.process_time() - start < 2
