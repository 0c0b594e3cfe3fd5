"""Full-size models that time themselves, each side in a process of its own, so that the memory and the threads of one are
not in the way of the other.

    with Stack(threads=2, pieces=20) as stack, ClipProfile(threads=2) as clip:
        stack.time(), clip.time()    # milliseconds
        clip.time("everything")      # milliseconds

`Stack` is CLIP ViT-B/32, RoBERTa-base and ViT-base in float32, one after the other, with random weights, which take the
same time; only the networks are timed, not their preprocessing. `ClipProfile` analyzes a meme with one face, since the
stack sees one; its weights are those that the environment names. `everything` is the median over memes of the gallery
with OCR and every explanation.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, analyze_fully, gallery_meme, gallery_memes, milliseconds

ONE_FACE = "first_try.webp"
Measure = Callable[[], float]  # milliseconds of one run


class TimedProcess:
    """A process that answers each line, the name of a measurement, with its milliseconds. It rests between calls."""

    def __init__(self, side: str, **options: object) -> None:
        words = [word for name, value in options.items() if value is not None for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.timed", side, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def time(self, measurement: str = "") -> float:
        """Milliseconds of one run; the first call waits until the models are built."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{measurement}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A process with full-size models ended: requirements.txt may not be installed.")
        return float(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)


class Stack(TimedProcess):
    """The process with the three models; `pieces` is the number of word pieces that RoBERTa reads."""

    def __init__(self, threads: int, pieces: int) -> None:
        super().__init__("stack", threads=threads, pieces=pieces)


class ClipProfile(TimedProcess):
    """The process with the clip profile, in `dtype` or else in what it chooses on this machine."""

    def __init__(self, threads: int, dtype: str | None = None) -> None:
        super().__init__("clip", threads=threads, dtype=dtype)


def build_stack(threads: int, pieces: int) -> dict[str, Measure]:
    """The three models, built, as one measurement."""
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

    return {"": lambda: milliseconds(run)[0]}


def build_clip(threads: int, dtype: str | None) -> dict[str, Measure]:
    """The clip profile, loaded, and its measurements by name."""
    from models.analyzer import Analyzer
    from models.runtime import device

    if dtype:
        device.cpu_dtype = lambda: dtype  # in place of what the machine would choose
    analyzer = Analyzer("clip", threads=threads)
    meme = gallery_meme(ONE_FACE)
    emotions = analyzer.analyze(meme, explain=False).emotions
    if len(emotions.faces.faces) != 1 or emotions.text.status != "ok":
        raise SystemExit(f"{ONE_FACE} is to show one face, and its words are to be read; they were not.")

    def everything() -> float:
        memes = gallery_memes()[:6]
        analyze_fully(analyzer, memes[0])
        return statistics.median(milliseconds(partial(analyze_fully, analyzer, data))[0] for data in memes[1:])

    return {"": lambda: milliseconds(lambda: analyzer.analyze(meme, explain=False))[0], "everything": everything}


def serve(measures: Mapping[str, Measure], requests: IO[str], answers: IO[str]) -> None:
    """Answer each line with the milliseconds of the measurement that it names."""
    for line in requests:
        answers.write(f"{measures[line.strip()]()}\n")
        answers.flush()


def main() -> None:
    """One of the two processes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("side", choices=("stack", "clip"))
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--pieces", type=int, default=20, help="word pieces that RoBERTa reads (stack)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="in place of the profile's choice (clip)")
    args = parser.parse_args()
    stack = args.side == "stack"
    measures = build_stack(args.threads, args.pieces) if stack else build_clip(args.threads, args.dtype)
    serve(measures, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
