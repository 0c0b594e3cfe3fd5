"""Spellings that can be undone for certain, what looks like them and stays, and the way back to what is shown."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.io.captions import normalize

FAMILIES = "abKi .-_*\n\u00adwx\u0300ʇɐǝɥ🅰🇰ⓐաкн\u0421\ufe0f'"


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("k i l l", "kill"),
        ("k i l l  a l l", "kill all"),
        ("i  h a t e  y o u", "i hate you"),
        ("h\na\nt\ne", "hate"),
        ("h a t e\ny o u", "hate you"),
        ("f u c k you", "fuck you"),
        ("h.a.t.e. y.o.u.", "hate. you."),
        ("s_t_u_p_i_d", "stupid"),
        ("k - i - l - l", "kill"),
        ("h*a*t*e and h|a|t|e", "hate and hate"),
        ("k👏i👏l👏l", "kill"),
        ("н е н а в и с т ь", "ненависть"),
        ("ك ر ا ه ي ة", "كراهية"),
    ],
)
def test_letters_that_stand_apart_are_put_together(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    "shown",
    [
        "U.S.A.", "N. B. A.", "i.e. e.g. p.m. a.m.", "a b c", "a b c d e", "A. B. C. D.", "A/B/C/D", "1 2 3 4 5", "x x x x",
        "c-c-c-combo", "T-R-E", "I a", "我 爱 你 们", "a, k, i, l", "a+k+i+l", "wi-fi e-mail x-ray", "B 2 B 4 U",
    ],
)  # fmt: skip
def test_initials_lists_and_stutters_stay(shown):
    assert normalize(shown).text == shown


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("immi-\ngrants", "immigrants"),
        ("IMMI- \n GRANTS", "IMMIGRANTS"),
        ("immi\u00ad\ngrants", "immigrants"),
        ("Krank-\nheit", "Krankheit"),
        ("well-\nknown", "well-known"),
        ("STORE-\nAND", "STORE-AND"),
        ("Spider-\nMan", "Spider-Man"),
        ("so -\nwhat", "so - what"),
        ("immi- grants", "immi- grants"),
        ("2020-\n2024", "2020- 2024"),
    ],
)
def test_a_word_that_a_line_breaks_is_put_together(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("haaaate", "haate"),
        ("NOOOO!!!", "NOO!!!"),
        ("ненавиииижу", "ненавиижу"),
        ("ك\u0640\u0640\u0640ره", "كره"),
        (
            "www.example.com KKK aaa kkkkkk XXXL XIII viii 1000000 ...",
            "www.example.com KKK aaa kkkkkk XXXL XIII viii 1000000 ...",
        ),
        ("Schifffahrt", "Schiffahrt"),
        ("啊啊啊啊", "啊啊啊啊"),
    ],
)
def test_letters_are_written_twice_at_most(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("ɯǝɥʇ ǝʇɐɥ", "hate them"),
        ("sʍǝɾ llɐ llᴉʞ", "kill all jews"),
        ("I say ǝʇɐɥ oh no", "I say hate oh no"),
        ("so\nǝʇɐɥ\nso", "so hate so"),
        ("/ɹʌtʃ/ ǝ ɔdɔ", "/ɹʌtʃ/ ǝ ɔdɔ"),
    ],
)
def test_upside_down_letters_are_turned(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("ⓗⓐⓣⓔ 🄷🄰🅃🄴 🅗🅐🅣🅔 🅷🅰🆃🅴", "hate HATE HATE HATE"),
        ("⒦⒤⒧⒧", "kill"),
        ("🅱️itch", "Bitch"),
        ("blood type 🅰️ or 🅱, 🆎, 🅾️", "blood type 🅰️ or 🅱, 🆎, 🅾️"),
        ("🅿️ here", "🅿️ here"),
        ("🇰 🇮 🇱 🇱", "kill"),
        ("🇰\u200b🇮\u200b🇱\u200b🇱", "kill"),
        ("🇩🇪 🇫🇷🇮🇹", "🇩🇪 🇫🇷🇮🇹"),
    ],
)
def test_enclosed_letters_are_letters_and_emoji_stay(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("ᎻᎪᎢᎬ you", "HATE you"),
        ("muꮪlims", "muslims"),
        ("hօrse", "horse"),
        ("Ⲕill", "Kill"),
        ("кill", "kill"),
        ("ꓧate", "Hate"),
        ("IT-шник", "IT-шник"),
        ("как you", "как you"),
        ("Հայաստան and you", "Հայաստան and you"),
        ("ხალხი", "ხალხი"),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ"),
    ],
)
def test_look_alikes_of_any_script(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize(
    ("shown", "word", "origin"),
    [
        ("so k i l l them", "kill", "k i l l"),
        ("the immi-\ngrants", "immigrants", "immi-\ngrants"),
        ("I haaaate it", "haate", "haaaate"),
        ("ok ǝʇɐɥ", "hate", "ǝʇɐɥ"),
        ("no 🅷🅰️🆃🅴 here", "HATE", "🅷🅰️🆃🅴"),
    ],
)
def test_a_word_leads_back_to_what_is_shown(shown, word, origin):
    normal = normalize(shown)
    start = normal.text.index(word)
    assert shown[slice(*normal.to_shown(start, start + len(word)))] == origin


@settings(deadline=None)
@given(st.text(FAMILIES, max_size=30))
def test_offsets_hold_for_odd_spellings(text):
    normal = normalize(text)
    assert len(normal.text) == len(normal.origins)
    assert all(0 <= start < end <= len(text) for start, end in normal.origins)
    assert normal.text == normal.text.strip() and "  " not in normal.text


@pytest.mark.parametrize("repeated", ["a.", "a ", "a- ", "ab-\n", "aaaa", "ʇɐǝ ", "🅰", "a_", "H.a. "])
def test_the_longest_caption_is_read_in_time(repeated):
    text = (repeated * 10_000)[:10_000]
    start = time.process_time()
    normalize(text)
    assert time.process_time() - start < 2
