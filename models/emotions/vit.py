"""The expression of a face by trpakov/vit-face-expression (a ViT-base fitted on FER-2013), through transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from models.analysis import Expression
from models.emotions.expressions import LABELS
from models.emotions.pretrained import model_from, tool_from
from models.errors import BadWeights
from models.io import hub
from models.runtime.device import Device, Placed

if TYPE_CHECKING:
    from torch import Tensor

    from models.io.downloads import OnProgress

REPO = hub.Repo(
    "trpakov/vit-face-expression",
    "ef0bc6fc34241b6587e7e009e7711357be28c024",
    (("config.json",), ("model.safetensors", "pytorch_model.bin"), ("preprocessor_config.json",)),
)
BATCH_SIZE = 8


class VitExpressions:
    """Thread-safe."""

    def __init__(self, device: Device, on_progress: OnProgress | None = None) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        folder = hub.fetch(REPO, on_progress)
        model = model_from(AutoModelForImageClassification, folder, REPO)
        self.labels = tuple(model.config.id2label[number].lower() for number in range(model.config.num_labels))
        if set(self.labels) != set(LABELS):
            raise BadWeights(f"{REPO.id} answers with other labels than the seven of FER-2013: name its own folder.")
        self._processor = tool_from(AutoImageProcessor, folder, REPO)
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.placed = Placed(model, device)
        self.repo, self.identity = REPO.id, REPO.revision

    def predict(self, faces: Sequence[Image.Image]) -> list[tuple[Expression, ...]]:
        """For each face all seven expressions, most likely first; their probabilities add up to 1."""
        predictions: list[tuple[Expression, ...]] = []
        for start in range(0, len(faces), BATCH_SIZE):
            # FER-2013 is grey: three equal channels are what the model was fitted on, and crops are grey already.
            batch = [face.convert("L").convert("RGB") for face in faces[start : start + BATCH_SIZE]]
            for row in self._probabilities(batch):
                expressions = [Expression(label, float(p)) for label, p in zip(self.labels, row, strict=True)]
                predictions.append(tuple(sorted(expressions, key=lambda expression: -expression.probability)))
        return predictions

    def _probabilities(self, faces: Sequence[Image.Image]) -> list[list[float]]:
        pixels = self._processor(images=list(faces), return_tensors="pt")["pixel_values"]  # (n, 3, 224, 224)

        def compute(model: Any, put: Callable[[Tensor], Tensor]) -> list[list[float]]:
            rows: list[list[float]] = model(pixel_values=put(pixels)).logits.float().softmax(-1).tolist()
            return rows

        return self.placed.run(compute)
