"""Captions: where they come from, what the models read of them, and the way back to what is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.analysis import Caption, Line
from models.errors import BadCaption
from models.io import captions
from models.io.captions import IllegibleLine, PartlyRead, ReadLine, ReadWord, from_lines, from_override, normalize

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("Ｈｅｌｌｏ 𝓦𝓸𝓻𝓵𝓭 ﬁsh", "Hello World fish"),
        ("h\u200ba\u200dt\u2060e\ufeff m\u00ade", "hate me"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("k\u0456ll \u0430ll", "kill all"),
        ("\u03c1eople", "people"),
        ("\u0422\u041e\u0420 secret", "TOP secret"),
        ("ʜᴇʟʟᴏ", "hello"),
        ("don\u2019t don\u00b4t \u201cso\u201d", "don't don't \"so\""),
        ("  a \t\r\n\n b\u00a0c  ", "a b c"),
        ("cafe\u0301 déjà", "café déjà"),
        ("h\u0336a\u0336t\u0336e\u0336", "hate"),
        ("a\u0300\u0301\u0302\u0303\u0304b", "à\u0301b"),
        ("k1ll @ll n00bs $$$", "k1ll @ll n00bs $$$"),
        ("\0a\x07b\ud800c", "abc"),
        ("", ""),
        ("\u200b\u2800", ""),
    ],
)
def test_what_hides_words_is_undone(shown, read):
    assert normalize(shown).text == read


@pytest.mark.parametrize("shown", ["Я не знаю ЅСАМ", "со сна", "Ελλάδα και", "نص عربي", "नमस्ते", "我爱你", "ÅÄÖ ğ"])
def test_other_scripts_are_left_alone(shown):
    assert normalize(shown).text == shown


def test_joiners_stay_inside_emoji_only():
    assert normalize(f"my {FAMILY} \u2764\ufe0f h\u200date").text == f"my {FAMILY} \u2764\ufe0f hate"


def test_offsets_lead_back_to_the_shown_text():
    shown = "  ﬁne,\u200b  h\u200ba\u0301te\n\nit"
    normal = normalize(shown)
    start = normal.text.index("hát")
    assert shown[slice(*normal.to_shown(start, start + 4))] == "h\u200ba\u0301te"
    assert shown[slice(*normal.to_shown(0, 4))] == "ﬁne"
    assert normal.to_shown(0, 1) == normal.to_shown(1, 2) == (2, 3)  # both come from the ligature
    assert normal.to_shown(len(normal.text), len(normal.text)) == (len(shown), len(shown))
    with pytest.raises(ValueError, match="0:99"):
        normal.to_shown(0, 99)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_offsets_hold_for_any_text(text):
    normal = normalize(text)
    assert len(normal.text) == len(normal.origins)
    assert all(0 <= start < end <= len(text) for start, end in normal.origins)
    assert list(normal.origins) == sorted(normal.origins)
    assert normal.text == normal.text.strip() and "  " not in normal.text


def test_ten_thousand_characters_are_taken_and_one_more_is_refused():
    assert len(from_override("x" * 10_000).text) == 10_000
    with pytest.raises(BadCaption, match=r"10,001 characters.*10,000.*shorten it\.$"):
        from_override("x" * 10_001)


def test_an_override_is_kept_as_written():
    assert from_override(" <script>*Hi*\r\nyou ") == Caption("<script>*Hi*\nyou", "override")
    assert from_override("a\0b\ud800") == Caption("ab", "override")


@pytest.mark.parametrize("blank", ["", " \n ", "\u200b\u202e"])
def test_a_blank_override_says_that_there_are_no_words(blank):
    assert from_override(blank) == Caption("", "none")


def test_lines_become_a_caption_with_its_doubts():
    lines = [
        ReadLine("WHEN YQU", 0.97, (0, 0, 9, 9), (ReadWord(0, 4, 0.99), ReadWord(5, 8, 0.5))),
        Line("sure", 0.99, (0, 10, 9, 19)),
        Line("unsure", 0.7, (0, 20, 9, 29)),
        Line("  ", 0.99, (0, 30, 9, 39)),
    ]
    caption = from_lines(lines)
    assert caption.text == "WHEN YQU\nsure\nunsure" and caption.source == "ocr"
    assert [caption.text[start:end] for start, end in caption.uncertain] == ["YQU", "unsure"]
    assert len(caption.lines) == 3 and all(type(line) is Line for line in caption.lines)


def test_no_lines_are_no_words():
    assert from_lines([]) == Caption()


def test_lines_stop_at_the_limit():
    caption = from_lines([Line("x" * 6_000, 1.0, (0, 0, 1, 1))] * 3)
    assert len(caption.text) == 6_000 and len(caption.lines) == 1
    assert isinstance(caption, PartlyRead) and caption.left_out == 2


def test_lines_that_were_found_and_not_read_are_counted():
    caption = from_lines([Line("read", 1.0, (0, 0, 9, 9)), *[Line("", 0.0, (0, 9, 9, 18))] * 3])
    assert caption == PartlyRead("read", "ocr", (Line("read", 1.0, (0, 0, 9, 9)),), (), left_out=3)


def test_lines_in_unknown_letters_are_counted():
    read, unknown = Line("read", 1.0, (0, 0, 9, 9)), IllegibleLine("", 0.0, (0, 9, 9, 18))
    assert from_lines([read, unknown]) == PartlyRead("read", "ocr", (read,), (), illegible=1)
    assert from_lines([unknown, unknown]) == PartlyRead(illegible=2)


class CountingReader:
    def __init__(self) -> None:
        self.calls = 0

    def read(self, image: Image.Image) -> list[Line]:
        self.calls += 1
        return [Line("seen", 1.0, (0, 0, 1, 1))]


def test_override_then_ocr_then_none():
    image, reader = Image.new("RGB", (4, 4)), CountingReader()
    assert captions.read(image, "said", reader) == Caption("said", "override")
    assert captions.read(image, "", reader) == Caption()
    assert reader.calls == 0, "an answer of the user keeps the OCR off"
    assert captions.read(image, None, reader).source == "ocr"
    assert captions.read(None, None, reader) == captions.read(image, None, None) == Caption()
    assert reader.calls == 1
