"""FER-2013 faces with their FERPlus votes (Goodfellow et al. 2013, Barsoum et al. 2016): 48x48 grey pictures.

The label is one of the seven expressions; `details` hold the ten votes, of which NF means that there is no face.
"""

from __future__ import annotations

from training.datasets.dataset import Dataset

VOTES = (
    "fp_neutral", "fp_happiness", "fp_surprise", "fp_sadness", "fp_anger",
    "fp_disgust", "fp_fear", "fp_contempt", "fp_unknown", "fp_NF",
)  # fmt: skip
FER2013 = Dataset("fer2013", required=("image", "label", *VOTES), details=VOTES)
