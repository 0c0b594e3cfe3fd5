"""The 28 GoEmotions of a caption by SamLowe/roberta-base-go_emotions, through transformers.

Its card calls a label present from 0.5 on; better thresholds would have to be tuned on rows that it was not tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from models.analysis import Emotion, TextEmotions
from models.emotions.pretrained import model_from, tool_from
from models.emotions.text import LABELS
from models.errors import BadWeights
from models.io import hub
from models.io.captions import normalize
from models.runtime.device import Device, Placed
from models.tokenizers.base import length_batches

if TYPE_CHECKING:
    from torch import Tensor

    from models.io.downloads import OnProgress

REPO = hub.Repo(
    "SamLowe/roberta-base-go_emotions",
    "58b6c5b44a7a12093f782442969019c7e2982299",
    (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("tokenizer.json", "vocab.json")),
    ("tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"),
)
THRESHOLD = 0.5
MAX_PIECES = 512  # pieces, RoBERTa's own limit
BATCH_SIZE = 16


class RobertaEmotions:
    """Thread-safe."""

    def __init__(self, device: Device, on_progress: OnProgress | None = None) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        folder = hub.fetch(REPO, on_progress)
        model = model_from(AutoModelForSequenceClassification, folder, REPO)
        self.labels = tuple(model.config.id2label[number] for number in range(model.config.num_labels))
        if set(self.labels) != set(LABELS):
            raise BadWeights(f"{REPO.id} answers with other labels than the 28 of GoEmotions: name its own folder.")
        self._tokenizer = tool_from(AutoTokenizer, folder, REPO)
        self.longest = min(MAX_PIECES, model.config.max_position_embeddings - 2)  # RoBERTa counts from 2
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.placed = Placed(model, device)
        self.repo, self.identity = REPO.id, REPO.revision

    def classify(self, texts: Sequence[str]) -> list[TextEmotions]:
        """One answer a text; `no_text` for a blank one."""
        plain = [normalize(text).text for text in texts]
        spoken = [row for row, text in enumerate(plain) if text]
        emotions = [TextEmotions("no_text")] * len(texts)
        for batch in length_batches([len(plain[row]) for row in spoken], BATCH_SIZE):
            some = [spoken[number] for number in batch]
            for row, probs in zip(some, self._probabilities([plain[row] for row in some]), strict=True):
                emotions[row] = TextEmotions("ok", self._scores(probs))
        return emotions

    def _probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """[batch, 28], in the order of the model's labels."""
        inputs = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.longest, return_tensors="pt"
        )

        def compute(model: Any, put: Callable[[Tensor], Tensor]) -> np.ndarray:
            logits = model(input_ids=put(inputs["input_ids"]), attention_mask=put(inputs["attention_mask"])).logits
            probs: np.ndarray = logits.float().sigmoid().cpu().numpy()
            return probs

        return self.placed.run(compute)

    def _scores(self, row: np.ndarray) -> tuple[Emotion, ...]:
        scores = [
            Emotion(label, float(p), THRESHOLD, bool(p >= THRESHOLD)) for label, p in zip(self.labels, row, strict=True)
        ]
        return tuple(sorted(scores, key=lambda score: (not score.present, -score.probability)))
