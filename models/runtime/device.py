"""Where the full-size models run, and in which precision: CUDA, MPS or the CPU.

CUDA runs with float16 autocast, a CPU with bfloat16 instructions in bfloat16, everything else in float32. When a GPU runs
out of memory, the model moves to the CPU with a warning, and the answer is computed there.
"""

from __future__ import annotations

import logging
import platform
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from models.errors import BadInput
from models.runtime.turns import computing

if TYPE_CHECKING:
    import numpy as np
    import torch

_log = logging.getLogger("subtext.device")

NAMES = ("auto", "cuda", "mps", "cpu")
BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")  # without one of them a CPU is slower in bfloat16 than in float32

Result = TypeVar("Result")
Compute = Callable[[Any, Callable[[Any], Any]], Result]  # of a module and of what moves a tensor to its device


@dataclass(frozen=True)
class Device:
    """`name` as torch has it; `dtype`: float32, float16 (autocast) or bfloat16."""

    name: str
    dtype: str


def likely() -> tuple[str, ...]:
    """The names that a user may choose from on this machine; torch is not imported."""
    cuda = ("cuda",) if shutil.which("nvidia-smi") else ()
    mps = ("mps",) if sys.platform == "darwin" and platform.machine() == "arm64" else ()
    return ("auto", "cpu", *cuda, *mps)


def choose(name: str = "auto") -> Device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU. `BadInput` where this machine lacks it."""
    import torch

    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_available in available.items() if is_available)
    if name not in available:
        raise BadInput(f"There is no device {name!r}: choose one of {', '.join(NAMES)}.")
    if not available[name]:
        raise BadInput(f"torch finds no {name} device on this machine: choose 'auto' or 'cpu', or install its driver.")
    return Device(name, {"cuda": "float16", "cpu": cpu_dtype()}.get(name, "float32"))


def cpu_dtype() -> str:
    """bfloat16 where the CPU computes in it itself, else float32."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return "bfloat16" if any(capabilities.get(name) for name in BFLOAT16_INSTRUCTIONS) else "float32"


class Placed:
    """A module in inference on a device; `fell_back` is True once it had to leave the GPU. Thread-safe."""

    def __init__(self, module: Any, device: Device) -> None:
        self._lock = threading.RLock()  # on a GPU one caller at a time, so that no call runs while the module moves
        self.fell_back = False
        self.module = module.eval().requires_grad_(False)
        self.device = device
        try:
            self._move(device)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self._move_to_cpu()

    def run(self, compute: Compute[Result], *, gradients: bool = False) -> Result:
        """`compute(module, put)`, where `put` moves a tensor to the device in its dtype; without gradients by default.

        If the GPU runs out of memory, `compute` is called again on the CPU.
        """
        if self.device.name == "cpu":
            with computing():
                return self._run(compute, gradients)
        with self._lock:
            try:
                return self._run(compute, gradients)
            except RuntimeError as error:
                if self.device.name == "cpu" or not out_of_memory(error):
                    raise
            self._move_to_cpu()  # outside the handler: the error's frames hold the tensors that filled the memory
            return self._run(compute, gradients)

    def _run(self, compute: Compute[Result], gradients: bool) -> Result:
        import torch

        device = self.device

        def put(tensor: torch.Tensor) -> torch.Tensor:
            if device.dtype == "bfloat16" and tensor.is_floating_point():
                tensor = tensor.to(torch.bfloat16)
            return tensor.to(device.name)

        with (
            torch.enable_grad() if gradients else torch.inference_mode(),
            torch.autocast(device.name, torch.float16) if device.dtype == "float16" else nullcontext(),
        ):
            return compute(self.module, put)

    def _move_to_cpu(self) -> None:
        import torch

        gpu = self.device
        _log.warning("The memory of %s is full: the model continues, slower, on the CPU.", gpu.name)
        self.fell_back = True
        self._move(Device("cpu", "float32"))
        torch.mps.empty_cache() if gpu.name == "mps" else torch.cuda.empty_cache()

    def _move(self, device: Device) -> None:
        import torch

        self.module.to(device.name, dtype=torch.bfloat16 if device.dtype == "bfloat16" else torch.float32)
        self.device = device


def out_of_memory(error: BaseException) -> bool:
    """Whether the device's memory ran out: CUDA has its own exception, MPS only a message."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """float32 on the CPU."""
    return tensor.float().cpu().numpy()
