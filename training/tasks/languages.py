"""Metrics by language, where the file to evaluate has a column `language`: `macro_f1_de`, `macro_f1_de_low`, and so on."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from models.errors import BadInput
from training.datasets.base import Row
from training.metrics.classification import Metrics

CODE = re.compile("[a-z]{2,3}")  # ISO 639
ENDS = ("_low", "_high", "_majority")


def check_languages(rows: Sequence[Row], path: Any) -> None:
    """`BadInput` for a language that is no code; a row without one has None."""
    for row in rows:
        if row.language is not None and not (isinstance(row.language, str) and CODE.fullmatch(row.language)):
            raise BadInput(
                f"The column language of {path} must hold ISO 639 codes in small letters (de, pt) or nothing, but row {row.id} "
                f"has {row.language!r}: mend it, or leave the column out."
            )


def measure_by_language(
    rows: Sequence[Row], labelled: Sequence[int], measure: Callable[[list[int]], Metrics]
) -> Metrics:
    """`measure` of the numbers of all labelled rows, then of those of each language.

    Rows without a language count in the whole only.
    """
    metrics = measure(list(labelled))
    for code in sorted({language for number in labelled if (language := rows[number].language)}):
        own = measure([number for number in labelled if rows[number].language == code])
        metrics |= {_name(name, code): value for name, value in own.items()}
    return metrics


def count_by_language(rows: Sequence[Row], labelled: Sequence[int]) -> dict[str, dict[str, int]]:
    """`languages`: how many labelled rows each has; nothing where no row has one."""
    codes = [language for number in labelled if (language := rows[number].language)]
    return {"languages": {code: codes.count(code) for code in sorted(set(codes))}} if codes else {}


def _name(metric: str, code: str) -> str:
    """`macro_f1_low` of `de` is `macro_f1_de_low`."""
    end = next((end for end in ENDS if metric.endswith(end)), "")
    return f"{metric.removesuffix(end)}_{code}{end}"
