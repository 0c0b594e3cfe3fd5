"""Whether memory grows when the profiles are switched to and fro: ten switches in one process, a meme after each.

    python -m benchmarks.switching [--json FILE]

The clip profile has its full size, with random weights (`benchmarks/random_models.py`). `first_clip_mb` and
`first_mini_mb` are resident megabytes after the first switch to each, `last_clip_mb` and `last_mini_mb` those after the last;
`worst_growth` is the largest of any later one, relative to the first of the same profile.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks import random_models
from benchmarks.latency import GALLERY, WITH_A_FACE, WORDS
from components.shared.engine import Choice, Engine
from models.analysis import Meme
from models.io import captions
from models.io.images import open_picture

SWITCHES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    args = parser.parse_args()
    with random_models.folder():
        figures = summary(measure(Engine()))
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(engine: Engine, switches: int = SWITCHES) -> list[tuple[str, float]]:
    """The profile and the resident megabytes after each switch and one meme; it starts with mini, which is no switch."""
    picture = open_picture((GALLERY / WITH_A_FACE).read_bytes())
    meme = Meme(picture.image, captions.from_override(WORDS))
    found = []
    for number in range(switches + 1):
        name = ("mini", "clip")[number % 2]
        engine.choose(Choice(name))
        analyzer = engine.get()
        if analyzer.info.name != name:
            raise SystemExit(f"The {name} profile does not run: {engine.state.problem}")
        analyzer.analyze(meme)
        del analyzer
        resident = psutil.Process().memory_info().rss / 1024**2
        print(f"{number}: {name} {resident:.0f} MB", file=sys.stderr)
        if number:
            found.append((name, resident))
    return found


def summary(found: list[tuple[str, float]]) -> dict[str, float]:
    """The first and the last of each profile, and the worst growth since the first."""
    figures: dict[str, float] = {"switches": float(len(found))}
    worst = 0.0
    for name in ("clip", "mini"):
        values = [resident for profile, resident in found if profile == name]
        figures |= {f"first_{name}_mb": round(values[0], 1), f"last_{name}_mb": round(values[-1], 1)}
        worst = max(worst, *(value / values[0] - 1 for value in values))
    return figures | {"worst_growth": round(worst, 4)}


if __name__ == "__main__":
    main()
