"""The `clip` profile's emotion models, through transformers: RoBERTa for a caption's words, a ViT for faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from models.analysis import Expression, TextEmotions
from models.emotions.expressions import LABELS as EXPRESSIONS
from models.emotions.expressions import expressions_from
from models.emotions.text import LABELS as EMOTIONS
from models.emotions.text import emotions_from
from models.errors import BadWeights
from models.io import hub
from models.io.captions import normalize
from models.runtime.device import Device, Placed
from models.tokenizers.base import length_batches

if TYPE_CHECKING:
    from torch import Tensor

    from models.io.downloads import OnProgress

ROBERTA = hub.Repo(
    "SamLowe/roberta-base-go_emotions",
    "58b6c5b44a7a12093f782442969019c7e2982299",
    (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("tokenizer.json", "vocab.json")),
    ("tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"),
)
VIT = hub.Repo(
    "trpakov/vit-face-expression",
    "ef0bc6fc34241b6587e7e009e7711357be28c024",
    (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("preprocessor_config.json",)),
)
THRESHOLD = 0.5  # RoBERTa's card; better ones would have to be tuned on rows that it was not tested on
MAX_PIECES = 512  # RoBERTa's own limit
TEXT_BATCH_SIZE, FACE_BATCH_SIZE = 16, 8


class _Pretrained:
    """A classifier that transformers wrote, read from the disk alone. Thread-safe.

    `classes` are transformers' classes for the model and for what prepares its input; `known` says which labels it must
    have: what they are called, and all of them.
    """

    repo: ClassVar[hub.Repo]
    classes: ClassVar[tuple[str, str]]
    known: ClassVar[tuple[str, tuple[str, ...]]]

    def __init__(self, device: Device, on_progress: OnProgress | None = None) -> None:
        """Raises `BadWeights` where the folder cannot be read, has other labels or lacks tensors, which would be random."""
        folder = hub.fetch(self.repo, on_progress)
        model, info = self._read(0, folder, dtype="float32", output_loading_info=True)
        missing = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
        if missing:
            raise BadWeights(
                f"{folder} lacks {len(missing)} tensors of {self.repo.id}, {missing[0]} for one: remove it and try again."
            )
        self.config = model.config
        self.labels = tuple(self.config.id2label[number].lower() for number in range(self.config.num_labels))
        name, labels = self.known
        if set(self.labels) != set(labels):
            raise BadWeights(f"{self.repo.id} answers with other labels than {name}: name its own folder.")
        self.prepare = self._read(1, folder)
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.placed = Placed(model, device)

    def _read(self, number: int, folder: Path, **options: Any) -> Any:
        """`from_pretrained` of one of `classes`, without downloads and without code from the folder."""
        import transformers
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            kind = getattr(transformers, self.classes[number])
            return kind.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
        except Exception as error:  # transformers, tokenizers, safetensors and pickle share no base class
            raise BadWeights(
                f"{folder} does not hold {self.repo.id} as transformers reads it ({type(error).__name__}): remove it and "
                "try again."
            ) from error

    def _probabilities(self, activation: Callable[[Tensor], Tensor], **inputs: Tensor) -> np.ndarray:
        """float32 [batch, labels], in the order of the model's labels; `activation` takes the logits."""

        def compute(model: Any, put: Callable[[Tensor], Tensor]) -> np.ndarray:
            logits = model(**{name: put(tensor) for name, tensor in inputs.items()}).logits
            probs: np.ndarray = activation(logits.float()).cpu().numpy()
            return probs

        return self.placed.run(compute)


class RobertaEmotions(_Pretrained):
    """The 28 GoEmotions of a caption by SamLowe/roberta-base-go_emotions. Thread-safe."""

    repo = ROBERTA
    classes = ("AutoModelForSequenceClassification", "AutoTokenizer")
    known = ("the 28 of GoEmotions", EMOTIONS)

    def classify(self, texts: Sequence[str]) -> list[TextEmotions]:
        """One answer a text; `no_text` for a blank one."""
        plain = [normalize(text).text for text in texts]
        spoken = [row for row, text in enumerate(plain) if text]
        longest = min(MAX_PIECES, self.config.max_position_embeddings - 2)  # RoBERTa counts from 2
        emotions = [TextEmotions("no_text")] * len(texts)
        for batch in length_batches([len(plain[row]) for row in spoken], TEXT_BATCH_SIZE):
            rows = [spoken[number] for number in batch]
            pieces = self.prepare(
                [plain[row] for row in rows], padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            probs = self._probabilities(
                lambda logits: logits.sigmoid(), input_ids=pieces["input_ids"], attention_mask=pieces["attention_mask"]
            )
            for row, caption_probs in zip(rows, probs, strict=True):
                emotions[row] = emotions_from(caption_probs, self.labels, [THRESHOLD] * len(self.labels))
        return emotions


class VitExpressions(_Pretrained):
    """The expression of a face by trpakov/vit-face-expression, a ViT-base fitted on FER-2013. Thread-safe."""

    repo = VIT
    classes = ("AutoModelForImageClassification", "AutoImageProcessor")
    known = ("the seven of FER-2013", EXPRESSIONS)

    def predict(self, faces: Sequence[Image.Image]) -> list[tuple[Expression, ...]]:
        """For each face all seven expressions, most likely first; their probabilities add up to 1."""
        predictions: list[tuple[Expression, ...]] = []
        for start in range(0, len(faces), FACE_BATCH_SIZE):
            # FER-2013 is grey: three equal channels are what the model was fitted on, and crops are grey already.
            batch = [face.convert("L").convert("RGB") for face in faces[start : start + FACE_BATCH_SIZE]]
            pixels = self.prepare(images=batch, return_tensors="pt")["pixel_values"]  # (n, 3, 224, 224)
            probs = self._probabilities(lambda logits: logits.softmax(-1), pixel_values=pixels)
            predictions += [expressions_from(face_probs, self.labels) for face_probs in probs]
        return predictions
