"""Writes the tables of docs/batch.md (measured throughput, the cost of a million and a billion memes) and of
docs/deploy.md (memory at each stage).

    python -m benchmarks.throughput --ray --json benchmarks/results/throughput.json
    python -m benchmarks.memory --json benchmarks/results/memory.json
    python -m benchmarks.costs

A core of a named machine is taken to be as fast as one of the machine that measured, and all of its cores to be busy;
one of them is left to Ray's reader. Prices are list prices on demand without storage and traffic: look them up
before you plan, and write them into templates/costs.md.j2.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import RESULTS, fill_file, read_json, render

SECTIONS = (
    ("throughput", "batch.md", "throughput"),
    ("costs", "batch.md", "throughput"),
    ("memory", "deploy.md", "memory"),
)


def main() -> None:
    """Rewrite the sections of both documents: a template each, its document in docs/, its measurements."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for section, document, results in SECTIONS:
        content = render(section, measured=read_json(RESULTS / f"{results}.json"))
        fill_file(f"docs/{document}", section, content, script="benchmarks.costs")


if __name__ == "__main__":
    main()
