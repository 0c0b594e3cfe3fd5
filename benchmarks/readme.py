"""Writes the tables of README.md, docs/results.md, docs/batch.md (throughput, the cost of a million and a billion memes) and
docs/deploy.md (memory at each stage), from weights/ and benchmarks/results/, and docs/usage.md's session.

    python -m benchmarks.latency --json benchmarks/results/latency.json
    python -m benchmarks.memory --json benchmarks/results/memory.json
    python -m benchmarks.throughput --ray --json benchmarks/results/throughput.json
    python -m benchmarks.readme

Of the costs: a core of a named machine is taken to be as fast as one of the machine that measured, and all of its cores to be
busy; one of them is left to Ray's reader. Prices are list prices on demand without storage and traffic: look them up
before you plan, and write them into templates/costs.md.j2.
"""

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import RESULTS, ROOT, fill, read_json, render

MEME = "assets/gallery/mondays.webp"
QUALITY = tomllib.loads(Path(__file__).with_name("quality.toml").read_text(encoding="utf-8"))["rows"]
HEADLINE = [row for row in QUALITY if row.get("headline")]


def main() -> None:
    """Rewrite the sections of all five documents."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    throughput, memory = (read_json(RESULTS / f"{name}.json") for name in ("throughput", "memory"))
    for name, section, content in (
        ("README.md", "headline", figures(ROOT, HEADLINE)),
        ("docs/results.md", "figures", figures(ROOT, QUALITY)),
        ("docs/usage.md", "session", session()),
        ("docs/batch.md", "throughput", render("throughput", measured=throughput)),
        ("docs/batch.md", "costs", render("costs", measured=throughput)),
        ("docs/deploy.md", "memory", render("memory", measured=memory)),
    ):
        document = ROOT / name
        document.write_text(fill(document.read_text(encoding="utf-8"), section, content), encoding="utf-8")


def session() -> str:
    """A sample analyzed in the terminal, up to its cautions and times."""
    command = [sys.executable, "-m", "models", "analyze", MEME]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    beginning = output.partition("\nKeep in mind\n")[0]
    return f"```console\n$ python -m models analyze {MEME}\n{beginning}...\n```"


def figures(root: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of metrics with these rows of QUALITY and that of times and memory, as Markdown."""
    entries = []
    for row in rows:
        metrics = read_json(root / "weights" / row["folder"] / "metrics.json").get(row["split"])
        if metrics is None:
            raise SystemExit(
                f"weights/{row['folder']}/metrics.json has no figures for {row['split']!r}: mend quality.toml."
            )
        entries.append({**row, "metrics": metrics})
    results = {name: read_json(root / "benchmarks" / "results" / f"{name}.json") for name in ("latency", "memory")}
    return render("figures", rows=entries, **results)


if __name__ == "__main__":
    main()
