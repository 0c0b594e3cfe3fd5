"""Spellings with which people slip past a filter, for training: letters swapped, spaced or replaced, words glued, emoji named."""

import random
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

LEET = (
    {"a": "4", "e": "3", "i": "1", "o": "0", "s": "$"},
    {"a": "@", "e": "3", "i": "!", "o": "0", "s": "5", "t": "7"},
)
SEPARATORS = " .-_*·|"
MIN_LENGTH = 4  # letters of a word that is worth hiding
_EMOJI = tomllib.loads(Path(__file__).with_name("emoji_words.toml").read_text(encoding="utf-8"))
DRAWN: dict[str, str] = _EMOJI["drawn"]
AFTER: list[str] = _EMOJI["after"]["any"].split()


def evade(text: str, rng: random.Random) -> str:
    """The text with one of its longer words, or all of it, written as if to pass a filter; short texts stay as they are."""
    words = text.split(" ")
    index = max(range(len(words)), key=lambda i: len(words[i]) * rng.random())
    if len(words[index]) < MIN_LENGTH:
        return text
    style = rng.choice(STYLES)
    if style is glue:
        return glue(words, index)
    if style is respell_all:
        return respell_all(text, rng)
    words[index] = style(words[index], rng)
    return " ".join(words)


def swap(word: str, rng: random.Random) -> str:
    """Two neighbouring letters change places."""
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def drop(word: str, rng: random.Random) -> str:
    """A letter inside the word is missing."""
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def double(word: str, rng: random.Random) -> str:
    """A letter is written two to four times."""
    at = rng.randrange(len(word))
    return word[:at] + word[at] * rng.randint(2, 4) + word[at + 1 :]


def space(word: str, rng: random.Random) -> str:
    """Every letter stands apart."""
    return rng.choice(SEPARATORS).join(word)


def leet(word: str, rng: random.Random) -> str:
    """Digits and signs that look like letters."""
    table = rng.choice(LEET)
    return "".join(table.get(letter.lower(), letter) for letter in word)


def star(word: str, rng: random.Random) -> str:
    """A letter inside the word is hidden."""
    at = rng.randrange(1, len(word) - 1)
    return word[:at] + rng.choice("*#-_.@") + word[at + 1 :]


def split(word: str, rng: random.Random) -> str:
    """The word is broken in two, as at a line's end or by a blank."""
    at = rng.randrange(2, len(word) - 1)
    return word[:at] + rng.choice((" ", "- ", "-", ".")) + word[at:]


def shout(word: str, rng: random.Random) -> str:
    """The word in capitals."""
    return word.upper()


def glue(words: list[str], index: int) -> str:
    """The word and the next one without a blank."""
    return " ".join([*words[:index], "".join(words[index : index + 2]), *words[index + 2 :]])


def respell_all(text: str, rng: random.Random) -> str:
    """All of a text: no blanks, capitals, small letters, or leet letters throughout."""
    style = rng.randrange(4)
    if style == 0 and len(text) < 60:
        return text.replace(" ", "")
    if style == 1:
        return text.upper()
    return text.lower() if style == 2 else leet(text, rng)


Style = Callable[[str, random.Random], str]
STYLES: tuple[Callable[..., str], ...] = (
    swap, swap, drop, drop, double, space, space, leet, leet, star, star, split, shout, glue, glue, respell_all, respell_all,
)  # fmt: skip


def name_emoji(text: str, rng: random.Random, fraction: float, language: str) -> str:
    """Each emoji with this chance by its CLDR short name in the language, or in English, between blanks."""
    import emoji

    if text.isascii():
        return text
    known = language if language in emoji.LANGUAGES else "en"
    for sign in dict.fromkeys(match["emoji"] for match in emoji.emoji_list(text)):
        if rng.random() < fraction:
            name = emoji.demojize(sign, language=known, delimiters=("", "")).replace("_", " ")
            text = text.replace(sign, f" {name} ")
    return text


@cache
def emoji_names() -> dict[str, str]:
    """Every emoji of one character, and the letters of flags, with its CLDR short name in English."""
    import emoji

    names = {key: str(entry["en"]).strip(":").replace("_", " ") for key, entry in emoji.EMOJI_DATA.items()}
    letters = {chr(0x1F1E6 + number): f"flag {chr(ord('A') + number)}" for number in range(26)}
    return {key: name for key, name in names.items() if len(key) == 1} | letters


def draw_words(text: str, rng: random.Random) -> str:
    """An English text with one of its words as an emoji, where one is used for it; else with an emoji after it."""
    drawable = [word for word in re.findall(r"[A-Za-z]+", text) if word.lower() in DRAWN]
    if not drawable or rng.random() < 0.2:
        return f"{text} {rng.choice(AFTER)}"
    word = rng.choice(drawable)
    return re.sub(rf"\b{word}\b", rng.choice(DRAWN[word.lower()].split()), text, count=1)
