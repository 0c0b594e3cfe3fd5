"""Whether memory grows when a user switches between the profiles: ten switches in one process, a meme after each.

    python -m benchmarks.switching [--json FILE]

The clip profile has its full size, with random weights (`benchmarks/full_size.py`). `first_clip_mb` and
`first_mini_mb` are resident megabytes after the first switch to each, `last_clip_mb` and `last_mini_mb` those after the last;
`worst_growth` is the largest of any later one, relative to the first of the same profile.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks.common import gallery_meme, options, report
from benchmarks.full_size import random_weights
from components.shared.engine import Choice, Engine

SWITCHES = 10


def main() -> None:
    """Measure and report."""
    args = options(__doc__).parse_args()
    with random_weights():
        report(summary(measure(Engine())), args.json)


def measure(engine: Engine, switches: int = SWITCHES) -> list[tuple[str, float]]:
    """The profile and the resident megabytes after each switch and one meme; it starts with mini, which is no switch."""
    meme = gallery_meme("went_first.webp")
    resident_mb = []
    for number in range(switches + 1):
        name = ("mini", "clip")[number % 2]
        engine.choose(Choice(name))
        analyzer = engine.get()
        if analyzer.info.name != name:
            raise SystemExit(f"The {name} profile does not run: {engine.state.problem}")
        analyzer.analyze(meme)
        del analyzer
        megabytes = psutil.Process().memory_info().rss / 1024**2
        print(f"{number}: {name} {megabytes:.0f} MB", file=sys.stderr)
        if number:
            resident_mb.append((name, megabytes))
    return resident_mb


def summary(resident_mb: list[tuple[str, float]]) -> dict[str, float]:
    """The first and the last of each profile, and the worst growth since the first."""
    metrics: dict[str, float] = {"switches": float(len(resident_mb))}
    worst = 0.0
    for name in ("clip", "mini"):
        values = [megabytes for profile, megabytes in resident_mb if profile == name]
        metrics |= {f"first_{name}_mb": round(values[0], 1), f"last_{name}_mb": round(values[-1], 1)}
        worst = max(worst, *(value / values[0] - 1 for value in values))
    return metrics | {"worst_growth": round(worst, 4)}


if __name__ == "__main__":
    main()
