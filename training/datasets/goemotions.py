"""GoEmotions (Demszky et al. 2020): short comments; the label is a tuple of one or more of 27 emotions and neutral."""

from __future__ import annotations

from training.datasets.dataset import Dataset

GOEMOTIONS = Dataset("goemotions", required=("text", "labels"), label="labels")
