"""Religiously hateful memes with OCR text; the labels (1 = hateful) are noisy."""

from __future__ import annotations

from training.datasets.dataset import Dataset

RELIGIOUS_HATEFUL = Dataset("religious_hateful", required=("image", "text", "label"))
