"""Words of the reading that the models judged, moved to the caption as it is shown."""

from dataclasses import replace
from typing import TypeVar

from models.analysis import Attention, Evidence, WordEffect, WordWeight
from models.io.captions import Normalized

Word = TypeVar("Word", WordWeight, WordEffect)


def attention_to_caption(attention: Attention, said: Normalized, caption: str) -> Attention:
    """The attention with its words as they are written in the caption; they are words of `said.text`."""
    return replace(attention, words=_moved(attention.words, said, caption))


def evidence_to_caption(evidence: Evidence, said: Normalized, caption: str) -> Evidence:
    """The evidence with its words as they are written in the caption; they are words of `said.text`."""
    gradient = evidence.gradient
    if gradient is not None:
        gradient = replace(gradient, words=_moved(gradient.words, said, caption))
    return replace(evidence, words=_moved(evidence.words, said, caption), gradient=gradient)


def _moved(words: tuple[Word, ...], said: Normalized, caption: str) -> tuple[Word, ...]:
    spans = [said.to_shown(word.start, word.end) for word in words]
    return tuple(
        replace(word, text=caption[start:end], start=start, end=end)
        for word, (start, end) in zip(words, spans, strict=True)
    )
