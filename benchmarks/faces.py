"""The face detector at several input sizes: the faces that it finds, and its cost.

    python -m benchmarks.faces [--limit N] [--json FILE]

The data sets have no face boxes, so the reference is what the 480 and the 640 pixel runs both find (IoU .5 or more) on
validation pictures: faces that all sizes miss do not count, and recall at 480 and 640 is 1 by construction. Times are
those of one thread on HarMeme's pictures. Needs the data (`SUBTEXT_DATA`, else data/).
"""

import io
import statistics
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import milliseconds, options, report, validation_rows
from models.analysis import Box
from models.emotions.faces import FaceDetector, iou

DATASETS = ("harmeme", "religious_hateful", "oasis", "flickr8k")
TIMED = "harmeme"
SIZES = (256, 320, 384, 480, 640)
REFERENCE_SIZES = (480, 640)
WIDTHS = (0, 24, 40, 100_000)  # of faces, in pixels of the picture: the edges of the groups
GROUPS = ("under_24", "24_to_40", "from_40")


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--limit", type=int, default=100, help="pictures of each set (default 100)")
    args = parser.parse_args()
    rows = {name: validation_rows(name, ["image"], args.limit) for name in DATASETS}
    sets = {name: [Image.open(io.BytesIO(row["image"])).convert("RGB") for row in rows[name]] for name in DATASETS}
    report(measure(sets), args.json)


def measure(sets: dict[str, list[Image.Image]], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    """Detected faces and milliseconds at each size."""
    detected: dict[int, list[list[Box]]] = {size: [] for size in sizes}
    times: dict[int, list[tuple[float, float]]] = {size: [] for size in sizes}
    detectors = {size: FaceDetector.load(size=size, threads=1) for size in sizes}
    for name, images in sets.items():
        for image in images:
            for size, detector in detectors.items():
                boxes: list[Box] = []
                time = milliseconds(lambda: boxes.extend(box for box, _ in detector.detect(image)))  # noqa: B023
                detected[size].append(boxes)
                if name == TIMED:
                    times[size].append(time)
    reference = [matches(*pair) for pair in zip(*(detected[size] for size in REFERENCE_SIZES), strict=True)]

    metrics: dict[str, float] = {"pictures": sum(map(len, sets.values()))}
    for group, (low, high) in zip(GROUPS, pairwise(WIDTHS), strict=True):
        faces = [[box for box in boxes if low <= box[2] - box[0] < high] for boxes in reference]
        metrics[f"faces_{group}"] = sum(map(len, faces))
        for size in sizes:
            metrics[f"found_{group}_at_{size}"] = sum(map(len, map(matches, faces, detected[size])))
    for size in sizes:
        wall_ms, cpu_ms = zip(*times[size], strict=True)
        metrics[f"ms_at_{size}"] = round(statistics.median(wall_ms), 1)
        metrics[f"cpu_ms_at_{size}"] = round(statistics.median(cpu_ms), 1)
    return metrics


def matches(boxes: list[Box], others: list[Box]) -> list[Box]:
    """Those of `boxes` that overlap one of the others by half (IoU)."""
    return [box for box in boxes if others and (iou(np.array(box), np.array(others)) >= 0.5).any()]


if __name__ == "__main__":
    main()
