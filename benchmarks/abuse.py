"""Can one visitor hurt another? A hostile one for three minutes, while two ordinary ones analyze memes.

    python -m benchmarks.abuse [--seconds N] [--memory MB] [--json FILE]

The server is started as users start it and killed at 1.5 GB of resident memory, as Docker does. (`ulimit` would count the
stacks of threads too, which are never touched, and a cgroup needs root.) The hostile visitor sends all of
`benchmarks/hostile.py` at once, uploads its files by Chromium, and switches the profile. Anywhere else each visitor has a machine
of its own; here the ordinary ones' programs go first, then the server, then the hostile one's, by their priority. One ordinary
visitor uses the page in a Chromium of its own, the other the API; an answer counts from the first try until it is there,
refusals included. In the
end the server is killed in the middle of a batch, started again and stopped.

`worst_health_s`: the slowest /health. `worst_visitor_s`: the slowest answer of an ordinary visitor. `wrong_answers`: answers
other than the meme got while nobody else was there, and those that never came. `peak_mb`: most resident memory.
`leftover_files`: files in the temporary folder after the second start that were not there before the first visitor came.
`server_ended`: 1 if the server was killed for its memory, or ended by itself, before the time was over.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil
import requests

from benchmarks import hostile
from benchmarks.common import GALLERY, app, options, report, wait_for
from benchmarks.memory import browser_page
from components.shared.verdict import NAMES

MEMORY_MB = 1_500
MEMES = 4  # of the gallery; each is analyzed again and again
TOLERANCE = 2e-3  # of a probability: batches of another size round otherwise
PATIENCE_S = 60.0  # after which an ordinary visitor gives up: the answer counts as wrong
SERVER = 10  # its priority, as `nice` counts: between the ordinary visitors' and the hostile one's
PAUSE_S = 1.0  # of an ordinary visitor between two memes
HEALTH_S, MEMORY_S = 0.2, 0.02  # between two requests of /health, two looks at the memory


@dataclass(frozen=True)
class Known:
    """What a meme got while nobody else was there."""

    words: str
    label: str
    probability: float


@dataclass
class Figures:
    """What was measured; threads only append."""

    health_s: list[float] = field(default_factory=list)
    visitor_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0  # resident, as the system counts it between two looks too
    wrong: list[str] = field(default_factory=list)  # which visitor, which meme and why


class Attack:
    """The address of a server under attack, and whether the time is over."""

    def __init__(self, address: str, process: psutil.Process, seconds: float, memory_mb: int) -> None:
        self.address, self.process, self.memory_mb = address, process, memory_mb
        self._end = time.monotonic() + seconds

    def is_over(self) -> bool:
        """Also once the server has ended, since nothing more can be measured."""
        return time.monotonic() >= self._end or not self.is_alive()

    def is_alive(self) -> bool:
        """Whether the server runs."""
        return self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--memory", type=int, default=MEMORY_MB, help="resident megabytes of the server")
    args = parser.parse_args()
    report(measure(args.seconds, args.memory), args.json)


def measure(seconds: float, memory_mb: int) -> dict[str, float]:
    """All figures."""
    figures, memes = Figures(), sorted(GALLERY.glob("*.webp"))[:MEMES]
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as servers:
        files = hostile.files(Path(own))
        with app(TMPDIR=servers, MALLOC_ARENA_MAX="2") as (address, process):  # as in the Dockerfile
            for thread in process.threads():
                os.setpriority(os.PRIO_PROCESS, thread.id, SERVER)
            wait_for(f"{address}/ready")
            known = {meme: learn(address, meme) for meme in memes}
            with browser_page() as page:  # a server's first page takes seconds in any case
                if problem := answer_by_browser(page, address, memes[0], known[memes[0]]):
                    figures.wrong.append(f"page, while nobody else was there: {problem}")
            before = files_below(Path(servers))
            under = Attack(address, process, seconds, memory_mb)
            run_all(under, known, files, figures)
            alive = under.is_alive()
            if alive:
                start_batch(address, files["large.zip"])
                process.kill()
        with app(TMPDIR=servers) as (address, _):
            wait_for(f"{address}/ready")
        leftover = sorted(files_below(Path(servers)) - before)
    for line in [*figures.wrong[:10], *map(str, leftover[:10])]:
        print(line, file=sys.stderr)
    return {
        "worst_health_s": round(max(figures.health_s, default=PATIENCE_S), 2),
        "worst_visitor_s": round(max(figures.visitor_s, default=PATIENCE_S), 2),
        "wrong_answers": len(figures.wrong),
        "peak_mb": round(figures.peak_mb, 1),
        "leftover_files": len(leftover),
        "answers": len(figures.visitor_s),
        "server_ended": int(not alive),
        "seconds": seconds,
    }


def files_below(folder: Path) -> set[Path]:
    """All files of a folder and those below it."""
    return {path for path in folder.rglob("*") if path.is_file()}


def learn(address: str, meme: Path) -> Known:
    """The meme's answer while nobody else is there."""
    answer = analyze(address, meme).json()
    return Known(answer["caption"]["text"], NAMES[answer["verdict"]["label"]], answer["verdict"]["probability"])


def analyze(address: str, meme: Path) -> requests.Response:
    """The API's answer about a picture."""
    files = {"picture": (meme.name, meme.read_bytes())}
    return requests.post(f"{address}/api/v1/analyze", files=files, data={"explain": "false"}, timeout=PATIENCE_S)


def run_all(under: Attack, known: dict[Path, Known], files: dict[str, Path], figures: Figures) -> None:
    """Everybody at once until the time is over."""
    jobs: list[Callable[[], None]] = [
        lambda: watch_health(under, figures),
        lambda: watch_memory(under, figures),
        lambda: visit_by_api(under, known, figures),
        lambda: visit_by_browser(under, known, figures),
    ]
    context = get_context("spawn")
    ended = context.Event()
    visitor = context.Process(target=hostile.visit, args=(under.address, files, ended))
    visitor.start()
    try:
        with ThreadPoolExecutor(len(jobs)) as pool:
            for running in [pool.submit(job) for job in jobs]:
                running.result()
    finally:
        ended.set()
        visitor.join()


def watch_health(under: Attack, figures: Figures) -> None:
    """Asks /health without pause; no answer counts as long as it took to give up."""
    while not under.is_over():
        start = time.perf_counter()
        try:
            requests.get(f"{under.address}/health", timeout=PATIENCE_S)
        except requests.RequestException:
            if not under.is_alive():
                return
        figures.health_s.append(time.perf_counter() - start)
        time.sleep(HEALTH_S)


def watch_memory(under: Attack, figures: Figures) -> None:
    """The server's resident memory, and its end where that is more than it may have."""
    status = Path(f"/proc/{under.process.pid}/status")
    while not under.is_over():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        if "VmHWM" not in lines:  # the server has ended
            return
        figures.peak_mb = int(lines["VmHWM"].split()[0]) / 1024
        if int(lines["VmRSS"].split()[0]) / 1024 > under.memory_mb:
            under.process.kill()
        time.sleep(MEMORY_S)


def visit_by_api(under: Attack, known: dict[Path, Known], figures: Figures) -> None:
    """The ordinary visitor with a program: one meme after another, again as soon as the server says so."""
    while not under.is_over():
        for meme, expected in known.items():
            start = time.perf_counter()
            problem = answer_by_api(under, meme, expected)
            note(under, figures, f"API, {meme.stem}: {problem}" if problem else "", start)


def answer_by_api(under: Attack, meme: Path, expected: Known) -> str:
    """What is wrong with the answer, if anything."""
    start, status = time.perf_counter(), "no answer"
    while time.perf_counter() - start < PATIENCE_S:
        try:
            answer = analyze(under.address, meme)
        except requests.RequestException as error:
            return type(error).__name__
        if answer.status_code == 200:
            verdict, words = answer.json()["verdict"], answer.json()["caption"]["text"]
            if words != expected.words:
                return f"{len(words)} characters instead of {len(expected.words)}"
            right = abs(verdict["probability"] - expected.probability) < TOLERANCE
            return "" if right else f"{verdict['probability']:.3f} instead of {expected.probability:.3f}"
        status = f"status {answer.status_code}: {answer.json().get('detail', '')}"
        if answer.status_code not in (429, 503):
            break
        time.sleep(min(float(answer.headers.get("Retry-After", 1)), 2.0))
    return status


def visit_by_browser(under: Attack, known: dict[Path, Known], figures: Figures) -> None:
    """The ordinary visitor of the page."""
    with browser_page() as page:
        page.set_default_timeout(PATIENCE_S * 1000)
        while not under.is_over():
            for meme, expected in known.items():
                start = time.perf_counter()
                problem = answer_by_browser(page, under.address, meme, expected)
                note(under, figures, f"page, {meme.stem}: {problem}" if problem else "", start)


def answer_by_browser(page: Any, address: str, meme: Path, expected: Known) -> str:
    """What is wrong with what the page shows, if anything; the page is opened anew."""
    from playwright.sync_api import Error, expect

    words = page.get_by_role("textbox", name="Words of the meme")
    try:
        page.goto(address)
        page.locator("input[type=file]").first.set_input_files(meme)
        page.get_by_role("tab", name="Evidence").or_(page.get_by_test_id("stAlertContentError")).first.wait_for()
        if page.get_by_test_id("stAlertContentError").count():
            return "the page shows a failure"
        expect(words).to_have_value(expected.words, timeout=PATIENCE_S * 1000)  # the page draws one after the other
        title = page.get_by_role("heading", level=1).inner_text()
    except AssertionError:
        return f"{len(words.input_value())} characters instead of {len(expected.words)}"
    except Error as error:
        return type(error).__name__
    return "" if title.strip().endswith(expected.label) else f"{title!r} instead of {expected.label!r}"


def note(under: Attack, figures: Figures, problem: str, start: float) -> None:
    """One answer of an ordinary visitor, who then pauses. What the end of the time cut off is slow at most, not wrong."""
    figures.visitor_s.append(time.perf_counter() - start)
    if problem and not (under.is_over() and under.is_alive()):
        figures.wrong.append(problem)
    time.sleep(PAUSE_S)


def start_batch(address: str, file: Path) -> None:
    """A batch that is still going on when this returns, if the server takes one."""
    from playwright.sync_api import Error

    with browser_page() as page, suppress(Error):
        page.set_default_timeout(PATIENCE_S * 1000)
        hostile.upload(page, f"{address}/batch", file)
        page.get_by_role("button", name="Stop").wait_for()


if __name__ == "__main__":
    main()
