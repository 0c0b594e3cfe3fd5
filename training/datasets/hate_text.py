"""Sentences with and without hate (label 1 = hate) from six published sets; `details["source_set"]` names the set.

`dynahate` (Vidgen et al. 2021), `hatemoji_build` (Kirk et al. 2022), `hatexplain` (Mathew et al. 2021), `davidson`
(Davidson et al. 2017), `multitarget_conan` (Fanton et al. 2021) and `dialoconan` (Bonaldi et al. 2022).
`details["raw_label"]` marks the rows called offensive, which are no clean case of either label.
"""

from __future__ import annotations

from training.datasets.dataset import Dataset

HATE_TEXT = Dataset("hate_text", required=("text", "label"), details=("raw_label", "source_set"))
