"""From a text map to text boxes: the post-processing of DB (Liao et al. 2020, arXiv 1911.08947) in NumPy.

RapidOCR does the same with OpenCV, pyclipper and shapely, which cost 57 MB and a second to import (scipy.ndimage and
scipy.spatial: 42 MB and half a second), and OpenCV does not import where its full build is installed without libGL. The
constants are named as in PaddleOCR.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models.analysis import Box

MULTIPLE = 32  # the network halves its input five times
PIXELS = 576 * 576  # area of the detector's input; its time is proportional to it
MAX_SIDE = 1600  # a side of the detector's input: keeps very wide or tall pictures legible
BINARIZE_THRESHOLD = 0.3  # a pixel of the text map from this score on is text
BOX_THRESHOLD = 0.5  # a box is kept if its mean over the text map reaches this
UNCLIP_RATIO = 1.6  # DB predicts shrunken text; each side moves outward by area * UNCLIP_RATIO / perimeter


@dataclass(frozen=True)
class TextBox:
    """A rotated rectangle: corners [4, 2] (x, y) clockwise from the top left."""

    corners: np.ndarray

    @property
    def height(self) -> float:
        """The shorter side, in pixels."""
        return min(self._sides)

    @property
    def width(self) -> float:
        """The longer side, in pixels."""
        return max(self._sides)

    @property
    def bounds(self) -> Box:
        """The upright box round it: left, top, right, bottom."""
        (left, top), (right, bottom) = self.corners.min(0).tolist(), self.corners.max(0).tolist()
        return left, top, right, bottom

    @property
    def _sides(self) -> tuple[float, float]:
        across, down = (float(np.linalg.norm(self.corners[0] - self.corners[side])) for side in (1, 3))
        return across, down


def prepare(image: Image.Image) -> np.ndarray:
    """The detector's input [1, 3, height, width] in -1..1, BGR; aspect kept, area about `PIXELS`."""
    scale = min(math.sqrt(PIXELS / (image.width * image.height)), MAX_SIDE / max(image.size))
    width, height = (max(MULTIPLE, round(side * scale / MULTIPLE) * MULTIPLE) for side in image.size)
    array = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return np.ascontiguousarray(((array[:, :, ::-1] / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None])


def find_boxes(text_map: np.ndarray, size: tuple[int, int]) -> list[TextBox]:
    """Boxes in pixels of a picture of `size` (width, height) from the detector's output [height, width]."""
    height, width = text_map.shape
    mask = text_map > BINARIZE_THRESHOLD
    mask[1:] |= mask[:-1]  # RapidOCR's 2x2 dilation: joins letters that a hair's breadth parts
    mask[:, 1:] |= mask[:, :-1]
    boxes = []
    for points in blobs(mask):
        rectangle = smallest_rectangle(points)
        if rectangle is None:
            continue
        sides = np.linalg.norm(rectangle - np.roll(rectangle, -1, axis=0), axis=1)[:2]
        if min(sides) < 3 or mean_inside(text_map, rectangle) < BOX_THRESHOLD:
            continue
        unclipped = unclip(rectangle, float(sides.prod() * UNCLIP_RATIO / (2 * sides.sum())))
        corners = clockwise(unclipped * np.array([size[0] / width, size[1] / height]))
        corners = corners.clip(0, np.array(size) - 1)
        boxes.append(TextBox(corners.astype(np.float32)))
    return [box for box in boxes if box.height > 3]


def blobs(mask: np.ndarray) -> list[np.ndarray]:
    """Each 8-connected blob of a boolean [height, width] as the end points [n, 2] (x, y) of its horizontal runs."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    steps = np.diff(padded, axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, ends = np.nonzero(steps == -1)  # one past the last pixel
    parents = list(range(len(rows)))

    def root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    runs_at = np.full((mask.shape[0] + 1, mask.shape[1] + 2), -1)  # the run of each pixel; a margin above and beside
    for run, (row, start, end) in enumerate(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True)):
        runs_at[row + 1, start + 1 : end + 1] = run
        for above in set(runs_at[row, start : end + 2].tolist()) - {-1}:  # touching, corners included
            parents[root(run)] = root(above)
    members: dict[int, list[int]] = {}
    for run in range(len(rows)):
        members.setdefault(root(run), []).append(run)
    return [
        np.concatenate([np.stack([starts[runs], rows[runs]], 1), np.stack([ends[runs] - 1, rows[runs]], 1)])
        for runs in members.values()
    ]


def smallest_rectangle(points: np.ndarray) -> np.ndarray | None:
    """The rotated rectangle [4, 2] of least area round points [n, 2]; it lies along one edge of their hull."""
    hull = convex_hull(points)
    if len(hull) < 3:
        return None
    edges = np.roll(hull, -1, axis=0) - hull
    angles = np.unique(np.arctan2(edges[:, 1], edges[:, 0]) % (math.pi / 2))
    cos, sin = np.cos(angles), np.sin(angles)
    across = hull[:, :1] * cos + hull[:, 1:] * sin  # [hull, angles]
    down = hull[:, 1:] * cos - hull[:, :1] * sin
    left, right, top, bottom = across.min(0), across.max(0), down.min(0), down.max(0)
    best = int(((right - left) * (bottom - top)).argmin())
    u = np.array([left[best], right[best], right[best], left[best]])
    v = np.array([top[best], top[best], bottom[best], bottom[best]])
    return np.stack([u * cos[best] - v * sin[best], u * sin[best] + v * cos[best]], 1)


def convex_hull(points: np.ndarray) -> np.ndarray:
    """Andrew's monotone chain: the hull [m, 2] of points [n, 2], without points on its edges."""
    ordered = sorted(set(map(tuple, points.tolist())))
    hull: list[tuple[float, ...]] = []
    for sequence in (ordered, ordered[::-1]):
        chain: list[tuple[float, ...]] = []
        for x, y in sequence:
            while len(chain) >= 2:
                (ax, ay), (bx, by) = chain[-2:]
                if (bx - ax) * (y - ay) > (by - ay) * (x - ax):
                    break
                chain.pop()
            chain.append((x, y))
        hull += chain[:-1]
    return np.array(hull, np.float64)


def mean_inside(text_map: np.ndarray, rectangle: np.ndarray) -> float:
    """The mean of the text map [height, width] over a rotated rectangle [4, 2]."""
    height, width = text_map.shape
    left, top = np.floor(rectangle.min(0)).astype(int).clip(0, [width - 1, height - 1])
    right, bottom = np.ceil(rectangle.max(0)).astype(int).clip(0, [width - 1, height - 1])
    x, y = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    inside = np.ones(x.shape, bool)
    for (ax, ay), (bx, by) in zip(rectangle, np.roll(rectangle, -1, axis=0), strict=True):
        inside &= (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= -0.5 * math.hypot(bx - ax, by - ay)
    return float(text_map[top : bottom + 1, left : right + 1][inside].mean()) if inside.any() else 0.0


def unclip(rectangle: np.ndarray, distance: float) -> np.ndarray:
    """Each side of the rectangle [4, 2] moved outward by `distance`: what polygon offsetting amounts to here."""
    along = rectangle[1] - rectangle[0]
    down = rectangle[3] - rectangle[0]
    along, down = (side / max(float(np.linalg.norm(side)), 1e-6) * distance for side in (along, down))
    return rectangle + np.stack([-along - down, along - down, along + down, -along + down])


def clockwise(corners: np.ndarray) -> np.ndarray:
    """Corners [4, 2] from the top left on: the left pair by height, then the right pair (as RapidOCR orders them)."""
    by_x = corners[np.argsort(corners[:, 0], kind="stable")]
    left, right = (pair[np.argsort(pair[:, 1], kind="stable")] for pair in (by_x[:2], by_x[2:]))
    return np.stack([left[0], right[0], right[1], left[1]])
