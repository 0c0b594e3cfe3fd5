"""A network that onnxruntime runs on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from models.runtime.turns import computing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from onnxruntime import ModelMetadata, SessionOptions


class Session:
    """Runs an .onnx file, one turn a run. Thread-safe. Raises onnxruntime's exceptions for a file that is damaged."""

    def __init__(self, path: str, options: SessionOptions) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, outputs: Sequence[str] | None, inputs: Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs of these names, all of them for None."""
        with computing():
            return self._session.run(outputs, inputs)

    @property
    def metadata(self) -> ModelMetadata:
        """What the file says of itself."""
        return self._session.get_modelmeta()
