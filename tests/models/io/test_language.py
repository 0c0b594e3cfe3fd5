"""Which language a caption is found to be in, and when that keeps a model from judging it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.analysis import Caption
from models.io import language
from models.io.captions import PartlyRead
from models.io.language import Language, detect, foreign_name, unmeasured, with_language

ELEVEN = ("en", "ar", "de", "es", "fr", "hi", "it", "nl", "pl", "pt", "zh")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("When you find the last piece of cake in the fridge", "en"),
        ("WHEN YOU FIND THE LAST PIECE OF CAKE", "en"),
        ("𝐈 𝐡𝐚𝐭𝐞 𝐌𝐨𝐧𝐝𝐚𝐲𝐬 𝐚𝐧𝐝 𝐭𝐡𝐞 𝐫𝐚𝐢𝐧", "en"),
        ("Der Nachbar backt am Sonntag wieder Kuchen", "de"),
        ("@ana mira esto 😂😂 https://example.org/x el perro no quiere salir de casa", "es"),
        ("Mon chat dort toute la journée", "fr"),
        ("Il mio gatto dorme tutto il giorno", "it"),
        ("Mijn kat slaapt de hele dag", "nl"),
        ("Mój kot śpi przez cały dzień", "pl"),
        ("O meu gato dorme o dia inteiro", "pt"),
        ("मेरी बिल्ली सारा दिन सोती है", "hi"),
        ("قطتي تنام طوال النهار", "ar"),
        ("我的猫整天睡觉", "zh"),
        ("我の最愛，是整天睡覺的貓和下雨天", "zh"),  # a Japanese sign in Chinese words
        ("私の猫は一日中寝ている", "ja"),
        ("Kedim bütün gün uyuyor", "tr"),
        ("Моя кошка спит целый день", "ru"),
        ("Η γάτα μου κοιμάται", "el"),
        ("고양이", "ko"),
        ("החתול שלי ישן", "he"),
    ],
)
def test_sentences(text: str, code: str) -> None:
    detected = detect(text)
    assert detected.code == code
    assert detected.probability is None or language.SURE <= detected.probability <= 1
    assert (detected.probability is None) == (len(language.SCRIPTS[detected.script]) == 1)


@pytest.mark.parametrize(
    "text", ["lol", "LOL", "no cap", "Mama", "#tag", "1488 😀 …", "😀", "", "@ana https://a.org", "х"]
)
def test_what_does_not_tell(text: str) -> None:
    assert detect(text).code == "und"
    assert detect(text).probability is None


def test_the_script_of_most_letters_counts() -> None:
    assert detect("yes मेरी बिल्ली सारा दिन सोती है").code == "hi"
    assert detect("My cat sleeps all day and all night, says मेरी").code == "en"
    assert detect("ᎣᏏᏲ ᏧᎾ") == Language(script="CHEROKEE")


def test_words_of_a_hashtag_are_apart() -> None:
    assert detect("#TheCatSleepsAllDay").code == "en"
    assert detect("#thecatsleepsallday").code == "und"


@pytest.mark.parametrize(
    ("text", "measured", "why"),
    [
        ("Kedim bütün gün uyuyor", ELEVEN, "The words look Turkish, a language that this model was not measured on"),
        ("Mein Kater schläft den ganzen Tag", ("en",), "The words look German"),
        ("Mein Kater schläft den ganzen Tag", ELEVEN, ""),
        ("My cat sleeps all day", ("en",), ""),
        ("lol", ("en",), ""),
        ("قط", ELEVEN, ""),  # too short to be told from Persian, but the script is one that was measured
        ("قط", ("en",), "Most letters of the words are Arabic, a script"),
        ("ᎣᏏᏲ ᏧᎾ", ELEVEN, "Most letters of the words are Cherokee, a script"),
        ("😀 1488", ("en",), ""),
        ("", ("en",), ""),
    ],
)
def test_what_a_model_should_not_judge(text: str, measured: tuple[str, ...], why: str) -> None:
    reason = unmeasured(detect(text), measured)
    assert reason.startswith(why) and bool(reason) == bool(why)
    assert not reason or reason.endswith("a person should read them.")


def test_a_caption_gets_its_language() -> None:
    german = with_language(PartlyRead("Der Nachbar backt am Sonntag Kuchen", "ocr", left_out=2))
    assert isinstance(german, PartlyRead) and german.left_out == 2
    assert german.language == "de" and german.language_probability is not None
    assert with_language(Caption("lol", "override")).language == "und"
    assert with_language(Caption()).language is None
    given = with_language(Caption("lol", "override"), Language("de", 0.7, "LATIN"))
    assert (given.language, given.language_probability) == ("de", 0.7)


@pytest.mark.parametrize(
    "text", ["a" * 10_000, ".a" * 5_000, "a.com" * 2_000, "@" * 10_000, "&a" * 5_000, "http://" * 1_000]
)
def test_the_longest_captions_take_no_time(text: str) -> None:
    start = time.process_time()
    detect(text)
    assert time.process_time() - start < 1


def test_names() -> None:
    assert [foreign_name(code) for code in ("de", "en", "und", None)] == ["German", "", "", ""]
    assert set(ELEVEN) <= set(language.NAMES)


def test_py3langid_tells_all_languages_that_share_a_script_apart() -> None:
    shared = {code for names in language.SCRIPTS.values() if len(names) > 1 for code in names}
    assert {code for code, _ in language._identifier().rank("a")} == shared


def test_threads_share_one_classifier() -> None:
    language._identifier.cache_clear()  # type: ignore[attr-defined]  # `once` has it
    texts = ["Mein Kater schläft den ganzen Tag", "My cat sleeps all day"] * 20
    with ThreadPoolExecutor(4) as pool:
        assert [each.code for each in pool.map(detect, texts)] == ["de", "en"] * 20
