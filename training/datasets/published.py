"""Data sets that are read from their published Parquet splits alone, each one declaration."""

from training.datasets.base import Dataset

VOTES = (
    "fp_neutral", "fp_happiness", "fp_surprise", "fp_sadness", "fp_anger",
    "fp_disgust", "fp_fear", "fp_contempt", "fp_unknown", "fp_NF",
)  # fmt: skip

FER2013 = Dataset("fer2013", required=("image", "label", *VOTES), details=VOTES)
"""FER-2013 faces with their FERPlus votes (Goodfellow et al. 2013, Barsoum et al. 2016): 48x48 grey pictures.

The label is one of the seven expressions; `details` hold the ten votes, of which NF means that there is no face.
"""

GOEMOTIONS = Dataset("goemotions", required=("text", "labels"), label="labels")
"""GoEmotions (Demszky et al. 2020): short comments; the label is a tuple of one or more of 27 emotions and neutral."""

HATE_TEXT = Dataset("hate_text", required=("text", "label"), details=("raw_label", "source_set"))
"""Sentences with and without hate (label 1 = hate) from six published sets; `details["source_set"]` names the set.

`dynahate` (Vidgen et al. 2021), `hatemoji_build` (Kirk et al. 2022), `hatexplain` (Mathew et al. 2021), `davidson`
(Davidson et al. 2017), `multitarget_conan` (Fanton et al. 2021) and `dialoconan` (Bonaldi et al. 2022).
`details["raw_label"]` marks the rows called offensive, which are no clean case of either label.
"""

RELIGIOUS_HATEFUL = Dataset("religious_hateful", required=("image", "text", "label"))
"""Religiously hateful memes with OCR text; the labels (1 = hateful) are noisy."""
