"""How long a meme takes, and how many times faster that is than a stack of full-size models on the same machine.

    python -m benchmarks.latency [--rounds N] [--json FILE]

`analyze_ms`: a meme with a face and 15 words, caption given, explanation off (so no OCR, but both emotion models and
the faces). `stack_ms`: CLIP ViT-B/32, RoBERTa-base and ViT-base on the same input (`benchmarks/stack.py`), in turns with
it and with as many threads. `everything_s`: the gallery's memes with OCR and every explanation. `first_verdict_s`: a
fresh process that imports what the app imports, loads the models and analyzes one meme with everything on. All are
medians. `clip_*` are the same for the clip profile at full size with random weights, in the precision that it chooses on this
machine, and `clip_float32_*` in float32; `--no-clip` leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import random_models
from benchmarks.full_size import FullSize
from benchmarks.stack import Stack
from models.analysis import Analysis, Meme
from models.analyzer import Analyzer
from models.io import captions
from models.io.images import open_picture

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "assets" / "gallery"
WITH_A_FACE = "went_first.webp"
WORDS = "Thank you to all the women who went first and held the door open behind them"
REST = 0.05  # seconds between turns, in which the threads of the one before fall asleep
COLD_STARTS = 3

COLD = """
import sys
from streamlit.web import bootstrap  # what `streamlit run` imports
from components import (analysis, attention, caption, downloads, emotions, engine, evidence, explanation, failures,
                        intake, overlay, pictures, sidebar, stages, verdict, visit)
from benchmarks.latency import everything
from models.analyzer import Analyzer
from pathlib import Path
print(everything(Analyzer(), Path(sys.argv[1]).read_bytes()).verdict.label, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="turns of each side (default 30)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    parser.add_argument("--no-clip", action="store_true", help="leave the clip profile out")
    args = parser.parse_args()
    figures = measure(args.rounds)
    if not args.no_clip:
        figures |= measure_clip(args.rounds)
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(rounds: int) -> dict[str, float]:
    """All figures, flat."""
    cold = [first_verdict() for _ in range(COLD_STARTS)]  # first, while this process holds little

    threads = min(4, os.cpu_count() or 1)
    analyzer = Analyzer(threads=threads)
    picture = open_picture((GALLERY / WITH_A_FACE).read_bytes())
    meme = Meme(picture.image, captions.from_override(WORDS))
    seen = analyzer.analyze(meme, explain=False)
    if seen.emotions.faces.status != "ok" or seen.emotions.text.status != "ok":
        raise SystemExit(f"{WITH_A_FACE} is to show a face, and its words are to be read; they were not.")

    with Stack(threads, pieces=len(WORDS.split()) + 4) as stack:
        analyze_ms, stack_ms = in_turns(lambda: analyzer.analyze(meme, explain=False), stack.time, rounds)

    memes = [path.read_bytes() for path in sorted(GALLERY.glob("*.webp"))]
    everything(analyzer, memes[0])  # loads the OCR's networks
    whole = [seconds(partial(everything, analyzer, data)) for data in memes]
    return {
        "times_faster_than_stack": round(stack_ms / analyze_ms, 2),
        "stack_ms": round(stack_ms, 1),
        "analyze_ms": round(analyze_ms, 1),
        "everything_s": round(statistics.median(whole), 3),
        "everything_slowest_s": round(max(whole), 3),
        "first_verdict_s": round(statistics.median(cold), 2),
        "threads": threads,
        "rounds": rounds,
    }


def measure_clip(rounds: int) -> dict[str, float]:
    """The clip profile beside the stack, each in a process of its own."""
    threads = min(4, os.cpu_count() or 1)
    found: dict[str, float] = {}
    with random_models.folder():
        for dtype, prefix in ((None, "clip"), ("float32", "clip_float32")):
            with FullSize(threads, dtype) as clip, Stack(threads, pieces=len(WORDS.split()) + 4) as stack:
                ours, theirs = timed_in_turns(clip.time, stack.time, rounds)
                found |= {
                    f"{prefix}_times_faster_than_stack": round(theirs / ours, 2),
                    f"{prefix}_analyze_ms": round(ours, 1),
                    f"{prefix}_stack_ms": round(theirs, 1),
                }
                if dtype is None:
                    found["clip_everything_s"] = round(clip.time("everything"), 3)
    return found


def in_turns(ours: Callable[[], object], theirs: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Medians in milliseconds of both sides, which run in turns so that a busy moment hits them alike."""
    return timed_in_turns(lambda: seconds(ours) * 1000, theirs, rounds)


def timed_in_turns(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> tuple[float, float]:
    """As `in_turns`, where both sides tell their milliseconds themselves."""
    times: list[tuple[float, float]] = []
    for _ in range(rounds + 2):  # the first two warm up
        mine = ours()
        time.sleep(REST)
        times.append((mine, theirs()))
        time.sleep(REST)
    first, second = zip(*times[2:], strict=True)
    return statistics.median(first), statistics.median(second)


def everything(analyzer: Analyzer, data: bytes) -> Analysis:
    """What the page does with the bytes of a picture."""
    picture = open_picture(data)
    caption = captions.read(picture.image, None, analyzer.reader)
    return analyzer.analyze(Meme(picture.image, caption, picture.format, picture.sha256))


def first_verdict() -> float:
    """Seconds from starting Python to the verdict on a meme."""
    start = time.perf_counter()
    command = [sys.executable, "-c", COLD, str(GALLERY / WITH_A_FACE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in printed(process):
            if line.strip() in ("hateful", "not_hateful", "needs_review"):
                return time.perf_counter() - start
    raise SystemExit(f"A fresh process gave no verdict; it ended with status {process.returncode}.")


def printed(process: subprocess.Popen[str]) -> Iterator[str]:
    """The lines of a process's output."""
    assert process.stdout is not None
    yield from process.stdout


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
