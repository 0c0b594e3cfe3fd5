"""Writes the tables of docs/batch.md (measured throughput, the cost of a million and a billion memes) and of
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
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import RESULTS, ROOT, fill, read_json

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
    """Rewrite the sections of both documents."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    measured = read_json(RESULTS / "throughput.json")
    write("batch.md", throughput=throughput(measured), costs=costs(measured))
    write("deploy.md", memory=memory(read_json(RESULTS / "memory.json")))


def write(name: str, **sections: Iterator[str]) -> None:
    """Put the sections where a document marks them."""
    file = ROOT / "docs" / name
    text = file.read_text(encoding="utf-8")
    for section, lines in sections.items():
        text = fill(text, section, "\n".join(lines), script="benchmarks.costs")
    file.write_text(text, encoding="utf-8")


def memory(megabytes: Mapping[str, float]) -> Iterator[str]:
    """Private and resident megabytes at each stage."""
    yield "| stage | private MB | resident MB |"
    yield "|---|---:|---:|"
    for key, description in STAGES.items():
        yield f"| {description} | {megabytes[f'{key}_private_mb']:.0f} | {megabytes[f'{key}_resident_mb']:.0f} |"


def throughput(measured: Mapping[str, float]) -> Iterator[str]:
    """Memes a second at one and two workers."""
    yield "| memes a second | 1 worker | 2 workers |"
    yield "|---|---:|---:|"
    for name, key in (("the command on this machine, captions given", "batch"), ("the same on Ray", "ray")):
        yield f"| {name} | {_number(measured.get(f'{key}_1_per_s'))} | {_number(measured.get(f'{key}_2_per_s'))} |"
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
    for machine in MACHINES:
        speeds = [(machine.cores - 1) * core, (machine.cores - 1) * with_ocr]
        cells = " | ".join(_cost(machine, count / speed) for speed in speeds for count in (1e6, 1e9))
        yield f"| {machine.name} ({machine.cores} cores) | {machine.dollars:.3f} | {speeds[0]:,.0f} | {cells} |"
    yield ""
    yield (
        f"From {core:.0f} memes a second on a core ({with_ocr:.1f} with OCR), the measured milliseconds of a core for opening, "
        "reading and scoring; `N h` are hours of one machine, so a hundred machines take a hundredth. A billion memes of "
        "60 KB are 60 TB, whose storage and reading cost extra. A cloud's core is a hyperthread and may be slower than ours."
    )


def _cost(machine: Machine, seconds: float) -> str:
    hours = seconds / 3600
    dollars = hours * machine.dollars
    return f"{hours:,.{1 if hours < 100 else 0}f} h, ${dollars:,.{2 if dollars < 10 else 0}f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
