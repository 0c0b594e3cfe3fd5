"""The face detector at several input sizes: what it still finds, and what it costs.

    python -m benchmarks.faces [--limit N] [--json FILE]

The data sets have no face boxes, so the reference is what the 480 and the 640 pixel runs both find (IoU .5 or more) on
validation pictures: misses of all sizes alike stay unseen, and recall at 480 and 640 is 1 by construction. Times are
those of one thread on HarMeme's pictures. Needs the data (`SUBTEXT_DATA`, else data/).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.analysis import Box
from models.emotions.faces import FaceDetector

SETS = ("harmeme", "religious_hateful", "oasis", "flickr8k")
TIMED = "harmeme"
SIZES = (256, 320, 384, 480, 640)
REFERENCE = (480, 640)
EDGES = (0, 24, 40, 100_000)  # widths of faces in pixels of the picture
GROUPS = ("under_24", "24_to_40", "from_40")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=100, help="pictures of each set (default 100)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    args = parser.parse_args()
    figures = measure({name: pictures(name, args.limit) for name in SETS})
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(sets: dict[str, list[Image.Image]], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    """Faces found and milliseconds at each size, flat."""
    found: dict[int, list[list[Box]]] = {size: [] for size in sizes}
    wall: dict[int, list[float]] = {size: [] for size in sizes}
    cpu: dict[int, list[float]] = {size: [] for size in sizes}
    detectors = {size: FaceDetector.load(size=size, threads=1) for size in sizes}
    for name, images in sets.items():
        for image in images:
            for size, detector in detectors.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                found[size].append([box for box, _ in detector.detect(image)])
                if name == TIMED:
                    wall[size].append((time.perf_counter() - start) * 1000)
                    cpu[size].append((time.process_time() - cpu_start) * 1000)
    reference = [shared(*pair) for pair in zip(*(found[size] for size in REFERENCE), strict=True)]

    figures: dict[str, float] = {"pictures": sum(map(len, sets.values()))}
    for group, (low, high) in zip(GROUPS, pairwise(EDGES), strict=True):
        faces = [[box for box in boxes if low <= box[2] - box[0] < high] for boxes in reference]
        figures[f"faces_{group}"] = sum(map(len, faces))
        for size in sizes:
            hits = (shared(wanted, here) for wanted, here in zip(faces, found[size], strict=True))
            figures[f"found_{group}_at_{size}"] = sum(map(len, hits))
    for size in sizes:
        figures[f"ms_at_{size}"] = round(statistics.median(wall[size]), 1)
        figures[f"cpu_ms_at_{size}"] = round(statistics.median(cpu[size]), 1)
    return figures


def pictures(name: str, limit: int) -> list[Image.Image]:
    """The first validation pictures of a data set."""
    folder = Path(os.environ.get("SUBTEXT_DATA", "data"))
    table = pq.read_table(folder / f"{name}.validation.parquet", columns=["image"]).slice(0, limit)
    return [Image.open(io.BytesIO(data)).convert("RGB") for data in table["image"].to_pylist()]


def shared(wanted: list[Box], found: list[Box]) -> list[Box]:
    """Those of `wanted` that overlap one of `found` by half (IoU)."""
    return [box for box in wanted if any(overlap(box, other) >= 0.5 for other in found)]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, width) * max(0.0, height)
    return both / (area(one) + area(other) - both)


def area(box: Box) -> float:
    """Square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


if __name__ == "__main__":
    main()
