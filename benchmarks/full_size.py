"""The clip profile in a process of its own, timed a meme at a time; its weights are those that the environment names.

    python -m benchmarks.full_size --threads 2 [--dtype float32]

Each line that comes in starts one analysis as `benchmarks/latency.py` times it, of a meme with one face, since the stack sees
one; the answer is its milliseconds. A line
`everything` reads the gallery's memes with OCR and every explanation, and answers with the median of their seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from functools import partial
from typing import IO

from benchmarks.stack import Timed

ONE_FACE = "first_try.webp"


class FullSize(Timed):
    """The process with the clip profile."""

    def __init__(self, threads: int, dtype: str | None = None) -> None:
        options = ["--threads", str(threads), *(["--dtype", dtype] if dtype else [])]
        super().__init__("benchmarks.full_size", options)


def serve(threads: int, dtype: str | None, asked: IO[str], answers: IO[str]) -> None:
    """One answer a line."""
    from benchmarks import latency
    from models.analysis import Meme
    from models.analyzer import Analyzer
    from models.io import captions
    from models.io.images import open_picture
    from models.runtime import device

    if dtype:
        device.cpu_dtype = lambda: dtype  # what the machine would choose by itself
    analyzer = Analyzer("clip", threads=threads)
    picture = open_picture((latency.GALLERY / ONE_FACE).read_bytes())
    meme = Meme(picture.image, captions.from_override(latency.WORDS))
    seen = analyzer.analyze(meme, explain=False)
    if len(seen.emotions.faces.faces) != 1 or seen.emotions.text.status != "ok":
        raise SystemExit(f"{ONE_FACE} is to show one face, and its words are to be read; they were not.")
    for line in asked:
        if line.strip() == "everything":
            memes = [path.read_bytes() for path in sorted(latency.GALLERY.glob("*.webp"))[:6]]
            latency.everything(analyzer, memes[0])
            times = [latency.seconds(partial(latency.everything, analyzer, data)) for data in memes[1:]]
            answers.write(f"{statistics.median(times)}\n")
        else:
            answers.write(f"{latency.seconds(lambda: analyzer.analyze(meme, explain=False)) * 1000}\n")
        answers.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="instead of what is measurably faster")
    args = parser.parse_args()
    serve(args.threads, args.dtype, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
