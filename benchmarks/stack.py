"""What a meme costs with full-size models: CLIP ViT-B/32, RoBERTa-base and ViT-base in float32, one after the other.

The weights are random, which takes the same time. Only the networks are timed, not their preprocessing. It runs in a
process of its own, so that torch's memory and threads are not in the way of what it is compared with:

    with Stack(threads=2, pieces=20) as stack:
        milliseconds = stack.time()
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[1]


class Timed:
    """A process that answers each line with a number. It rests between calls of `time`."""

    def __init__(self, module: str, options: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *options], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def time(self, asked: str = "") -> float:
        """Milliseconds of one meme; the first call waits until the models are built."""
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        ask.write(f"{asked}\n")
        ask.flush()
        line = answer.readline()
        if not line:
            raise SystemExit("A process with full-size models ended: requirements.txt may not be installed.")
        return float(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


class Stack(Timed):
    """The process with the three models."""

    def __init__(self, threads: int, pieces: int) -> None:
        super().__init__("benchmarks.stack", ["--threads", str(threads), "--pieces", str(pieces)])


def build(threads: int, pieces: int) -> Callable[[], None]:
    """The three models as one call; `pieces` is the number of word pieces that RoBERTa reads."""
    import torch
    from transformers import (
        CLIPConfig,
        CLIPModel,
        RobertaConfig,
        RobertaForSequenceClassification,
        ViTConfig,
        ViTForImageClassification,
    )

    torch.set_num_threads(threads)
    clip = CLIPModel(CLIPConfig()).eval()  # the default is ViT-B/32
    roberta = RobertaForSequenceClassification(
        RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    ).eval()
    vit = ViTForImageClassification(ViTConfig()).eval()  # the default is ViT-base, 16x16 patches of 224
    picture = torch.rand(1, 3, 224, 224)
    padded = torch.randint(1, 49000, (1, 77))  # CLIP reads 77 pieces, whatever the caption
    padded[0, pieces:] = 49407
    words = torch.randint(3, 50000, (1, pieces))

    @torch.inference_mode()
    def run() -> None:
        clip(input_ids=padded, pixel_values=picture, attention_mask=torch.ones_like(padded))
        roberta(input_ids=words)
        vit(pixel_values=picture)

    return run


def serve(run: Callable[[], None], asked: IO[str], answers: IO[str]) -> None:
    """One timed run for each line that comes in; the answer is its milliseconds."""
    for _ in asked:
        start = time.perf_counter()
        run()
        answers.write(f"{(time.perf_counter() - start) * 1000}\n")
        answers.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--pieces", type=int, required=True)
    args = parser.parse_args()
    serve(build(args.threads, args.pieces), sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
