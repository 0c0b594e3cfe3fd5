"""Where the full-size models run, and in which precision: CUDA, MPS or the CPU.

float16 autocast on CUDA. On a CPU that has bfloat16, the weights are kept in it if that is measurably faster there. When
a GPU runs out of memory, the model moves to the CPU with a warning, and what was asked is computed there.
"""

from __future__ import annotations

import logging
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from models.errors import BadInput

if TYPE_CHECKING:
    import torch
    from torch import nn

_log = logging.getLogger("subtext.device")

NAMES = ("auto", "cuda", "mps", "cpu")
WORTH_IT = 1.15  # bfloat16 has three digits only: it must be this many times faster to be chosen
ROUNDS = 3

Result = TypeVar("Result")
Module = TypeVar("Module", bound="nn.Module")


@dataclass(frozen=True)
class Device:
    """`name` as torch has it; `dtype`: float32, float16 (autocast) or bfloat16."""

    name: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.name}, {self.dtype}"


def likely() -> tuple[str, ...]:
    """The names that a person may want to choose from on this machine, found without importing torch."""
    found = ["auto", "cpu"]
    if shutil.which("nvidia-smi"):
        found.append("cuda")
    if sys.platform == "darwin" and platform.machine() == "arm64":
        found.append("mps")
    return tuple(found)


def choose(name: str = "auto") -> Device:
    """The device of that name; `auto` takes CUDA, then MPS, then the CPU. `BadInput` where this machine lacks it."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, is_there in there.items() if is_there)
    if name not in there:
        raise BadInput(f"There is no device {name!r}: choose one of {', '.join(NAMES)}.")
    if not there[name]:
        raise BadInput(f"torch finds no {name} device on this machine: choose 'auto' or 'cpu', or install its driver.")
    return Device(name, {"cuda": "float16", "cpu": cpu_dtype()}.get(name, "float32"))


_measured: dict[str, str] = {}


def cpu_dtype(measure: Callable[[], dict[str, float]] | None = None) -> str:
    """bfloat16 where the CPU has it and is measurably faster with it, else float32; measured once a process."""
    if "cpu" not in _measured:
        seconds = (measure or _matrix_seconds)()
        faster = "bfloat16" in seconds and seconds["float32"] > WORTH_IT * seconds["bfloat16"]
        _measured["cpu"] = "bfloat16" if faster else "float32"
    return _measured["cpu"]


def _matrix_seconds() -> dict[str, float]:
    """How long a layer of ViT-B takes on 50 tokens, in each dtype that the CPU computes in itself."""
    import torch

    dtypes = [torch.float32]
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        dtypes.append(torch.bfloat16)
    found = {}
    with torch.inference_mode():
        for dtype in dtypes:
            tokens, weight = torch.ones(50, 768, dtype=dtype), torch.ones(3072, 768, dtype=dtype)
            times = []
            for _ in range(ROUNDS + 1):  # the first warms up
                start = time.perf_counter()
                for _ in range(4):
                    torch.nn.functional.linear(tokens, weight)
                times.append(time.perf_counter() - start)
            found[str(dtype).removeprefix("torch.")] = min(times[1:])
    return found


class Placed(Generic[Module]):
    """A module in inference on a device. Safe to share between threads; `fell_back` once it had to leave the GPU."""

    def __init__(self, module: Module, device: Device) -> None:
        self._turn = threading.RLock()  # on a GPU one at a time, so that nobody is inside when the module moves
        self.fell_back = False
        self.module = module.eval().requires_grad_(False)
        self.device = device
        try:
            self._move(device)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            self._leave()

    def run(self, compute: Callable[[Module, Callable[[Any], Any]], Result], *, gradients: bool = False) -> Result:
        """`compute(module, put)`, where `put` brings a tensor to the device in its dtype; gradients are off unless asked.

        It is called again, on the CPU, if the GPU runs out of memory: what was asked is not lost.
        """
        if self.device.name == "cpu":
            return self._run(compute, gradients)
        with self._turn:
            try:
                return self._run(compute, gradients)
            except RuntimeError as error:
                if self.device.name == "cpu" or not out_of_memory(error):
                    raise
            self._leave()  # outside the handler: the error's frames hold the tensors that filled the memory
            return self._run(compute, gradients)

    def _run(self, compute: Callable[[Module, Callable[[Any], Any]], Result], gradients: bool) -> Result:
        import torch

        device = self.device

        def put(tensor: torch.Tensor) -> torch.Tensor:
            if device.dtype == "bfloat16" and tensor.is_floating_point():
                tensor = tensor.to(torch.bfloat16)
            return tensor.to(device.name)

        half = device.dtype == "float16"
        with (
            torch.enable_grad() if gradients else torch.inference_mode(),
            torch.autocast(device.name, torch.float16) if half else nullcontext(),
        ):
            return compute(self.module, put)

    def _leave(self) -> None:
        left = self.device
        _log.warning("The memory of %s is full: the model goes on, slower, on the CPU.", left.name)
        self.fell_back = True
        self._move(Device("cpu", "float32"))
        empty(left)

    def _move(self, device: Device) -> None:
        import torch

        self.module.to(device.name, dtype=torch.bfloat16 if device.dtype == "bfloat16" else torch.float32)
        self.device = device


def out_of_memory(error: BaseException) -> bool:
    """Whether a device's memory is what ran out: CUDA has an exception of its own, MPS a sentence."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def empty(device: Device) -> None:
    """Gives back what torch keeps of the device's memory."""
    import torch

    if device.name == "cuda" and torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif device.name == "mps" and torch.backends.mps.is_available():
        torch.mps.empty_cache()
