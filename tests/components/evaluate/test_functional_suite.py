"""A functional test suite in HateCheck's layout: read, run, drawn; what is off is one sentence."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from components.evaluate import functional_suite
from models.analysis import Meme
from models.errors import BadInput
from tests import wordings

CSV = """functionality,case_id,test_case,label_gold,target_ident
derog_neg_emote_h,1,I despise them,hateful,women
ident_neutral_nh,2,They are here,non-hateful,women
ident_neutral_nh,3,They are kind,non-hateful,immigrants
profanity_nh,4,Damn it,non-hateful,
profanity_nh,5,,non-hateful,
profanity_nh,6,What,maybe,
"""


class FakeAnalyzer:
    def __init__(self) -> None:
        self.batches: list[str] = []

    def threshold(self, _: str) -> float:
        return 0.5

    def score(self, memes: Sequence[Meme]) -> list[SimpleNamespace]:
        self.batches += [meme.caption.text for meme in memes]
        return [
            SimpleNamespace(probability=0.9 if any(w in m.caption.text for w in ("despise", "kind")) else 0.1)
            for m in memes
        ]


def test_accuracy_by_functionality_and_group() -> None:
    cases, problems = functional_suite.read(CSV.encode())
    assert len(cases) == 4
    assert problems == [wordings.ROW_6_HAS_NO_TEST_CASE_SO, wordings.ROW_7_HAS_THE_LABEL_MAYBE_WHICH]
    fractions: list[float] = []
    results = functional_suite.run(cases, FakeAnalyzer(), fractions.append)  # type: ignore[arg-type]
    assert fractions[-1] == 1
    accuracy, count = functional_suite.grid(results)
    assert list(accuracy.index) == ["all", "derog_neg_emote_h", "ident_neutral_nh", "profanity_nh"]
    assert list(accuracy.columns) == ["all", "women", "immigrants", functional_suite.NOBODY]
    assert accuracy.iloc[0, 0] == 0.75
    assert accuracy.iloc[2].tolist()[:3] == [0.5, 1.0, 0.0]
    assert np.isnan(accuracy.iloc[1, 2])
    assert count.iloc[2, 0] == 2
    figure = functional_suite.heat(accuracy, count)
    assert figure.data[0].text[2][1] == "100%"
    assert len(functional_suite.answers_csv(results).splitlines()) == 5


def test_formulas_stay_text_in_the_answers() -> None:
    rows = CSV.replace("They are here", "=cmd()").replace("women", "@a").replace("profanity_nh", "+b")
    results = functional_suite.run(functional_suite.read(rows.encode())[0], FakeAnalyzer(), lambda _: None)  # type: ignore[arg-type]
    answers = list(csv.DictReader(io.StringIO(functional_suite.answers_csv(results))))
    assert [row["test_case"] for row in answers] == ["I despise them", "'=cmd()", "They are kind", "Damn it"]
    assert [row["target_ident"] for row in answers] == ["'@a", "'@a", "immigrants", ""]
    assert [(row["probability"], row["right"]) for row in answers[:2]] == [("0.9000", "True"), ("0.1000", "True")]
    assert answers[3]["functionality"] == "'+b"


def test_cases_are_counted_before_they_are_built() -> None:
    header, *lines = CSV.encode().splitlines(keepends=True)
    tracemalloc.start()
    try:
        with pytest.raises(BadInput, match=wordings.MORE_THAN_10_000_ROWS):
            functional_suite.read(header + lines[0] * 200_000)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"a,b\n1,2\n", wordings.NO_COLUMN_FUNCTIONALITY_IT_HAS_A_B), (b"\xff\xfe\x00", wordings.NOT_UTF_8), (b"", wordings.NO_COLUMN),
     (CSV.splitlines()[0].encode(), wordings.NO_CASE_THAT_CAN_BE_USED)],
)  # fmt: skip
def test_what_is_off_is_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        functional_suite.read(data)
