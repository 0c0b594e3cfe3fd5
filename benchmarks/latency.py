"""How long a meme takes, and how many times faster that is than a stack of full-size models on the same machine.

    python -m benchmarks.latency [--rounds N] [--json FILE]

`analyze_ms`: a meme with a face and 15 words, caption given, explanation off (so no OCR, but both emotion models and
the faces). `stack_ms`: CLIP ViT-B/32, RoBERTa-base and ViT-base on the same input (`benchmarks/full_size.py`), in turns with
it and with as many threads. `everything_s`: the gallery's memes with OCR and every explanation. `first_verdict_s`: a
fresh process that imports what the app imports, loads the models and analyzes one meme with everything on. All are
medians. `clip_*` are the same for the clip profile at full size with random weights, in the precision that it chooses on this
machine, and `clip_float32_*` in float32; `--no-clip` leaves them out.
"""

import os
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import common
from benchmarks.common import analyze_fully, gallery_meme, gallery_memes, median_ms_in_turns, milliseconds
from benchmarks.full_size import clip_profile, random_weights, stack, timed_process
from models.analyzer import Analyzer

WITH_A_FACE = "went_first.webp"
COLD_STARTS = 3
THREADS = min(4, os.cpu_count() or 1)  # of each side
PIECES = len(common.CAPTION.split()) + 4

COLD_START = """
import sys
from streamlit.web import bootstrap  # what `streamlit run` imports
from components.analyze import attention, emotions, evidence, overlay, report
from components.shared import (engine, failures, intake, lenses, pictures, sidebar,
                               verdict, visit)
from benchmarks.common import analyze_fully
from models.analyzer import Analyzer
from pathlib import Path
print(analyze_fully(Analyzer(), Path(sys.argv[1]).read_bytes()).verdict.label, flush=True)
"""


def main() -> None:
    """Measure and report."""
    parser = common.options(__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="turns of each side (default 30)")
    parser.add_argument("--no-clip", action="store_true", help="leave the clip profile out")
    args = parser.parse_args()
    metrics = measure(args.rounds)
    if not args.no_clip:
        metrics |= measure_clip(args.rounds)
    common.report(metrics, args.json)


def measure(rounds: int) -> dict[str, float]:
    """All figures of the mini profile."""
    cold_s = [first_verdict_s() for _ in range(COLD_STARTS)]  # first, while this process holds little

    analyzer = Analyzer(threads=THREADS)
    meme = gallery_meme(WITH_A_FACE)
    emotions = analyzer.analyze(meme, explain=False).emotions
    if emotions.faces.status != "ok" or emotions.text.status != "ok":
        raise SystemExit(f"{WITH_A_FACE} is to show a face, and its words are to be read; they were not.")

    analyze = partial(analyzer.analyze, meme, explain=False)
    with timed_process(stack, threads=THREADS, pieces=PIECES) as time_stack:
        analyze_ms, stack_ms = median_ms_in_turns(lambda: milliseconds(analyze)[0], time_stack, rounds)

    memes = gallery_memes()
    analyze_fully(analyzer, memes[0])  # loads the OCR's networks
    everything_ms = [milliseconds(partial(analyze_fully, analyzer, data))[0] for data in memes]
    return {
        "times_faster_than_stack": round(stack_ms / analyze_ms, 2),
        "stack_ms": round(stack_ms, 1),
        "analyze_ms": round(analyze_ms, 1),
        "everything_s": round(statistics.median(everything_ms) / 1000, 3),
        "everything_slowest_s": round(max(everything_ms) / 1000, 3),
        "first_verdict_s": round(statistics.median(cold_s), 2),
        "threads": THREADS,
        "rounds": rounds,
    }


def measure_clip(rounds: int) -> dict[str, float]:
    """All figures of the clip profile; it and the stack run in a process of their own each."""
    metrics: dict[str, float] = {}
    start = partial(timed_process, threads=THREADS)
    with random_weights():
        for dtype, prefix in ((None, "clip"), ("float32", "clip_float32")):
            with start(clip_profile, dtype=dtype) as time_clip, start(stack, pieces=PIECES) as time_stack:
                clip_ms, stack_ms = median_ms_in_turns(time_clip, time_stack, rounds)
                metrics |= {
                    f"{prefix}_times_faster_than_stack": round(stack_ms / clip_ms, 2),
                    f"{prefix}_analyze_ms": round(clip_ms, 1),
                    f"{prefix}_stack_ms": round(stack_ms, 1),
                }
                if dtype is None:
                    metrics["clip_everything_s"] = round(time_clip("everything") / 1000, 3)
    return metrics


def first_verdict_s() -> float:
    """Seconds from starting Python to the verdict on a meme."""
    start = time.perf_counter()
    command = [sys.executable, "-c", COLD_START, str(common.GALLERY / WITH_A_FACE)]
    with subprocess.Popen(
        command, cwd=common.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() in ("hateful", "not_hateful", "needs_review"):
                return time.perf_counter() - start
    raise SystemExit(f"A fresh process gave no verdict; it ended with status {process.returncode}.")


if __name__ == "__main__":
    main()
