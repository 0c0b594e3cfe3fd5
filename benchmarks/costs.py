"""Writes the tables of docs/batch.md (measured throughput, what a million and a billion memes would cost) and of
docs/deploy.md (memory at each stage).

    python -m benchmarks.throughput --ray --json benchmarks/results/throughput.json
    python -m benchmarks.memory --json benchmarks/results/memory.json
    python -m benchmarks.costs

A core of a named machine is taken to be as fast as one of the machine that measured, and all of its cores to be busy;
one of them is left to Ray's reader. Prices are list prices on demand without storage and traffic: look them up
before you plan, and write them here.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.readme import filled

ROOT = Path(__file__).resolve().parents[1]
RESULTS, DOCS = ROOT / "benchmarks" / "results", ROOT / "docs"
STAGES = {
    "python": "Python, nothing imported",
    "started": "the server has started",
    "loaded": "a visitor is there, the models are loaded",
    "one": "after one meme, OCR and every explanation on",
    "ten": "after ten memes",
}


@dataclass(frozen=True)
class Machine:
    """A machine type: virtual cores and dollars an hour on demand in its cheapest large region, as of 2025."""

    name: str
    cores: int
    dollars: float


MACHINES = (
    Machine("AWS c7i.4xlarge", 16, 0.714),
    Machine("Google Cloud n2-standard-16", 16, 0.777),
    Machine("Azure F16s v2", 16, 0.677),
)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    measured, held = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in ("throughput", "memory")
    )
    write("batch.md", throughput=throughput(measured), costs=costs(measured))
    write("deploy.md", memory=memory(held))


def write(name: str, **parts: Iterator[str]) -> None:
    """Put the parts where a document marks them."""
    text = (DOCS / name).read_text(encoding="utf-8")
    for part, lines in parts.items():
        text = filled(text, part, "\n".join(lines), by="benchmarks.costs")
    (DOCS / name).write_text(text, encoding="utf-8")


def memory(held: Mapping[str, float]) -> Iterator[str]:
    """Private and resident megabytes at each stage."""
    yield "| stage | private MB | resident MB |"
    yield "|---|---:|---:|"
    for key, said in STAGES.items():
        yield f"| {said} | {held[f'{key}_private_mb']:.0f} | {held[f'{key}_resident_mb']:.0f} |"


def throughput(measured: Mapping[str, float]) -> Iterator[str]:
    """Memes a second at one and two workers."""
    yield "| memes a second | 1 worker | 2 workers |"
    yield "|---|---:|---:|"
    for name, key in (("the command on this machine, captions given", "batch"), ("the same on Ray", "ray")):
        one, two = (measured.get(f"{key}_{number}_per_s") for number in (1, 2))
        yield f"| {name} | {_number(one)} | {_number(two)} |"
    yield f"| the command on this machine, words read by the OCR | {_number(measured.get('ocr_1_per_s'))} | |"
    yield f"| `Analyzer.score` alone, pictures open | {_number(measured['score_per_s'])} | |"
    yield ""
    yield (
        f"{measured['memes']:.0f} memes; the command's start and the loading of the models are in these times, which weighs "
        f"more the fewer they are. One meme costs `Analyzer.score` {measured['score_cpu_ms']:.0f} ms of a core."
    )


def costs(measured: Mapping[str, float]) -> Iterator[str]:
    """Machines by hours and dollars, without and with the OCR."""
    core = 1000 / (measured["score_cpu_ms"] + measured["open_cpu_ms"])  # memes a second
    with_ocr = 1000 / (measured["score_cpu_ms"] + measured["open_cpu_ms"] + measured["ocr_cpu_ms"])
    yield "| machine | dollars an hour | memes a second | a million | a billion | a million with OCR | a billion with OCR |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for one in MACHINES:
        speeds = [(one.cores - 1) * core, (one.cores - 1) * with_ocr]
        cells = [_cost(one, count / speed) for speed in speeds for count in (1e6, 1e9)]
        yield f"| {one.name} ({one.cores} cores) | {one.dollars:.3f} | {speeds[0]:,.0f} | {' | '.join(cells)} |"
    yield ""
    yield (
        f"From {core:.0f} memes a second on a core ({with_ocr:.1f} with OCR), the measured milliseconds of a core for opening, "
        "reading and scoring; `N h` are hours of one machine, so a hundred machines take a hundredth. A billion memes of "
        "60 KB are 60 TB, whose storage and reading cost extra. A cloud's core is a hyperthread and may be slower than ours."
    )


def _cost(machine: Machine, seconds: float) -> str:
    hours = seconds / 3600
    dollars = hours * machine.dollars
    told = f"{hours:,.1f} h" if hours < 100 else f"{hours:,.0f} h"
    return f"{told}, ${dollars:,.2f}" if dollars < 10 else f"{told}, ${dollars:,.0f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
