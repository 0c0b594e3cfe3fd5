"""What the benchmarks share: options, results on screen and disk, sections of documents, memes, rows of the data sets,
timing, and the app and the API as processes, started as users start them."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any

import psutil
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.analysis import Analysis, Meme
from models.analyzer import Analyzer
from models.evaluation_files import metric_cell
from models.io import captions
from models.io.images import open_picture

ROOT = Path(__file__).resolve().parents[1]
GALLERY = ROOT / "assets" / "gallery"
FONT = ROOT / "assets" / "fonts" / "DejaVuSans-Bold.ttf"
RESULTS = ROOT / "benchmarks" / "results"
CAPTION = "Thank you to all the women who went first and held the door open behind them"
PAUSE_S = 0.05  # between turns, in which the threads of the last one fall asleep
WARM_UP_ROUNDS = 2
TIMEOUT_S = 180  # that a busy machine may take for one step
Server = AbstractContextManager[tuple[str, psutil.Process]]


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


def render(template: str, **values: Any) -> str:
    """`benchmarks/templates/TEMPLATE.md.j2` with these values; raises `jinja2.UndefinedError` for a name that is missing."""
    loader = FileSystemLoader(ROOT / "benchmarks" / "templates")
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cell": metric_cell, "fmt": format}
    return environment.get_template(f"{template}.md.j2").render(values).rstrip()


def fill(text: str, section: str, content: str) -> str:
    """The document with `content` between the marks of a section; ends with a sentence if there are none."""
    begin, end = f"<!-- {section}: python -m benchmarks.readme -->", f"<!-- end of {section} -->"
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
    return analyzer.analyze(picture.meme(caption))


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


def app(output: int | IO[bytes] = subprocess.DEVNULL, **environment: str) -> Server:
    """`streamlit run app.py`: its address and process. What it prints goes to `output`."""
    command = ["streamlit", "run", "app.py", "--server.headless=true"]
    return serve(command, "--server.port", "/_stcore/health", output, environment)


def uvicorn() -> Server:
    """`uvicorn serving.api:app`: its address and process."""
    return serve(["uvicorn", "serving.api:app", "--no-access-log"], "--port", "/health", subprocess.DEVNULL, {})


@contextmanager
def serve(
    command: Sequence[str], port_option: str, health: str, output: int | IO[bytes], environment: Mapping[str, str]
) -> Iterator[tuple[str, psutil.Process]]:
    """A Python module that serves on a free port, with variables beside ours; it is stopped in the end, whatever happens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", *command, f"{port_option}={port}"]
    process = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output, env=os.environ | environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}{health}", process)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Until the server answers with success; ends with a sentence if it does not, or if its process ends."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise SystemExit(f"The server ended with status {process.returncode}: start it by hand to see why.")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise SystemExit(f"The server did not answer within {TIMEOUT_S} seconds.")


def memory_mb(process: psutil.Process) -> tuple[float, float]:
    """Private and resident megabytes of a process and of those that it started."""
    memory = [member.memory_full_info() for member in (process, *process.children(recursive=True))]
    return sum(info.uss for info in memory) / 1024**2, sum(info.rss for info in memory) / 1024**2
