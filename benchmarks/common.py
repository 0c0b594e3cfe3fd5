"""What the benchmarks share: options, results on screen and disk, memes, rows of the data sets, timing."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.analysis import Analysis, Meme
from models.io import captions
from models.io.images import open_picture

if TYPE_CHECKING:
    from models.analyzer import Analyzer

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "assets" / "gallery"
FONT = ROOT / "assets" / "fonts" / "DejaVuSans-Bold.ttf"
RESULTS = ROOT / "benchmarks" / "results"
CAPTION = "Thank you to all the women who went first and held the door open behind them"
PAUSE_S = 0.05  # between turns, in which the threads of the last one fall asleep
WARM_UP_ROUNDS = 2


def options(description: str, *, data: bool = False) -> argparse.ArgumentParser:
    """A parser with the script's docstring as its description, with `--json` and, where it reads data sets, `--data`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    if data:
        parser.add_argument("--data", help="the folder of the data sets (default: SUBTEXT_DATA, else data/)")
    return parser


def report(metrics: Mapping[str, Any], file: Path | None = None) -> None:
    """Print the metrics and write them to `file` as JSON."""
    nested = any(isinstance(value, dict) for value in metrics.values())
    text = json.dumps(metrics, indent=2 if nested else 1)
    print(text if nested else "\n".join(f"{name}: {value}" for name, value in metrics.items()))
    if file is not None:
        file.write_text(text + "\n", encoding="utf-8")


def gallery_memes() -> list[bytes]:
    """The files of the gallery's memes, by name."""
    return [path.read_bytes() for path in sorted(GALLERY.glob("*.webp"))]


def gallery_meme(file: str, caption: str = CAPTION) -> Meme:
    """One of the gallery's pictures with a caption."""
    return Meme(open_picture((GALLERY / file).read_bytes()).image, captions.from_override(caption))


def analyze_fully(analyzer: Analyzer, data: bytes) -> Analysis:
    """What the page does with the bytes of a picture: OCR, and every explanation."""
    picture = open_picture(data)
    caption = captions.read(picture.image, None, analyzer.reader)
    return analyzer.analyze(Meme(picture.image, caption, picture.format, picture.sha256))


def validation_rows(name: str, columns: list[str], limit: int) -> list[dict[str, Any]]:
    """The first validation rows of a data set, as dictionaries of its columns."""
    import pyarrow.parquet as pq

    from training.datasets.base import parquet_path

    return pq.read_table(parquet_path(name, "validation"), columns=columns).slice(0, limit).to_pylist()


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    """How long a call takes: wall-clock time, and processor time of all threads, which other programs hardly change."""
    start, cpu_start = time.perf_counter(), time.process_time()
    call()
    return (time.perf_counter() - start) * 1000, (time.process_time() - cpu_start) * 1000


def median_ms_in_turns(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[float, float]:
    """Medians of two sides that return their milliseconds; they run in turns, so that a busy moment hits both."""
    times = []
    for _ in range(rounds + WARM_UP_ROUNDS):
        first_ms = first()
        time.sleep(PAUSE_S)
        times.append((first_ms, second()))
        time.sleep(PAUSE_S)
    first_times, second_times = zip(*times[WARM_UP_ROUNDS:], strict=True)
    return statistics.median(first_times), statistics.median(second_times)


def fill(text: str, section: str, content: str, *, script: str) -> str:
    """The document with `content` between the marks of a section that a script writes; ends with a sentence if there are none."""
    begin, end = f"<!-- {section}: python -m {script} -->", f"<!-- end of {section} -->"
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise SystemExit(f"The text lacks the lines {begin} and {end}: put them where the {section} belong.")
    return f"{before}{begin}\n\n{content}\n\n{end}{after}"


def read_json(file: Path) -> dict[str, Any]:
    """One JSON object; ends with a sentence if it is missing."""
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SystemExit(f"{file} is missing: train or measure it first.") from None
    return content
