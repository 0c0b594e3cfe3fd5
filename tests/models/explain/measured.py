"""Proof that a text holds no number but measured ones; written apart from the code that it checks.

`assert_measured` reads every number out of the text and the cautions, and recomputes every fact from the analysis by
the path that its name tells.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

from models.analysis import Analysis, Explanation, Fact

_NUMBER = re.compile(r"[-+−]?\d+(?:[.,]\d+)*")
_SPELLED = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|half|twice|third|percent)\b|%", re.IGNORECASE
)
_QUOTED = re.compile("“[^”]*”")


def assert_measured(analysis: Analysis, explanation: Explanation) -> None:
    names = [fact.name for fact in explanation.facts]
    assert len(names) == len(set(names)), "a fact is told twice"
    for fact in explanation.facts:
        assert math.isclose(fact.value, recomputed(analysis, explanation, fact.name), abs_tol=1e-12), fact

    written = "\n".join([explanation.text, *explanation.cautions])
    own = _QUOTED.sub("“”", written)
    assert not _SPELLED.search(own), f"a number in words: {own}"
    measured = [fact for fact in explanation.facts if ".number[" not in fact.name]
    for printed in _NUMBER.findall(own):
        assert any(_prints(fact, printed) for fact in measured), f"{printed} was never measured"
    for fact in measured:
        assert any(_prints(fact, printed) for printed in _NUMBER.findall(own)), f"{fact} is not in the text"

    inside = [number for quoted in _QUOTED.findall(written) for number in re.findall(r"\d+(?:\.\d+)?", quoted)]
    quoted_facts = [fact.value for fact in explanation.facts if ".number[" in fact.name]
    assert sorted(map(float, inside)) == sorted(quoted_facts)


def recomputed(analysis: Analysis, explanation: Explanation, name: str) -> float:
    """The value that a fact of this name must have."""
    if match := re.fullmatch(r"(.+)\.text\.number\[(\d+)\]", name):
        said = _letters(_at(analysis, match[1]).text)
        quoted = [quote[1:-1] for quote in _QUOTED.findall(explanation.text)]
        mine = [quote for quote in quoted if said.startswith(_letters(quote))]
        return float(re.findall(r"\d+(?:\.\d+)?", max(mine, key=len))[int(match[2])])
    if name.endswith(".count"):
        return len(_at(analysis, name.removesuffix(".count")))
    if name.endswith(".probability_without"):
        effect = _at(analysis, name.removesuffix(".probability_without")).effect
        return 1 / (1 + math.exp(-(analysis.verdict.logit - effect)))
    if name.startswith("verdict.distance_to."):
        band = getattr(analysis.verdict.bands, name.rsplit(".", 1)[1])
        return float(abs(Decimal(f"{band:.2f}") - Decimal(f"{analysis.verdict.probability:.2f}")))
    value = _at(analysis, name)
    assert isinstance(value, float), f"{name} is no number"
    return value


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _at(analysis: Analysis, path: str) -> Any:
    value: Any = analysis
    for step in re.findall(r"[a-z_]+|\[\d+\]", path):
        value = value[int(step[1:-1])] if step.startswith("[") else getattr(value, step)
    return value


def _prints(fact: Fact, printed: str) -> bool:
    if fact.name.endswith(".count"):
        return printed == str(int(fact.value))
    return re.fullmatch(r"[-+]?\d+\.\d\d", printed) is not None and float(printed) == float(f"{fact.value:.2f}")
