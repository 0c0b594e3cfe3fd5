"""Sentences with and without hate from six published sets, told apart by `details["source_set"]`.

`dynahate` (Vidgen et al. 2021), `hatemoji_build` (Kirk et al. 2022), `hatexplain` (Mathew et al. 2021), `davidson`
(Davidson et al. 2017), `multitarget_conan` (Fanton et al. 2021) and `dialoconan` (Bonaldi et al. 2022).
"""

from __future__ import annotations

from pathlib import Path

from training.datasets.base import Row
from training.datasets.parquet import read_part


def read(part: str, folder: str | Path | None = None) -> list[Row]:
    """`label`: 1 = hate. `details["raw_label"]` tells the rows called offensive, which are no clean case of either."""
    return read_part("hate_text", part, folder, details=("raw_label", "source_set"), needed=("text", "label"))
