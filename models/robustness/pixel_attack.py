"""The one-pixel attack (Su et al. 2019) by differential evolution (Storn and Price 1997).

A candidate is `count` times (x, y, red, green, blue). The attack uses scores only (black box). Pictures are attacked at
224x224, the size at which the model reads them: in a larger picture a single pixel would vanish in the resizing.
Published for comparison: one pixel fools 68% of CIFAR-10's pictures (32x32) and 16% of ImageNet's (227x227), with 400
candidates and up to 100 rounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.optimize import differential_evolution

from models.encoders.mini import SIDE
from models.io.images import squash

Score = Callable[[Sequence[Image.Image]], np.ndarray]  # pictures to float [n]; the attack makes it small
CANDIDATES = 40  # pictures that are scored together: one generation of the evolution


class _Done(Exception):
    """Ends the evolution early."""


@dataclass(frozen=True)
class Attack:
    """`before` and `after`: the scores of the picture and of the attacked one; `fooled` whether `after` < 0."""

    image: Image.Image
    before: float
    after: float
    fooled: bool
    queries: int
    stopped: bool = False


def view(image: Image.Image) -> Image.Image:
    """The picture as the model sees it: 224x224."""
    return squash(image.convert("RGB"), SIDE)


def paint(image: Image.Image, candidate: np.ndarray) -> Image.Image:
    """The picture with the candidate's pixels: float [5 * count] of x, y in pixels and colours 0-255."""
    data = np.array(image)
    for x, y, *colour in candidate.reshape(-1, 5):
        data[min(int(y), data.shape[0] - 1), min(int(x), data.shape[1] - 1)] = np.clip(colour, 0, 255).astype(np.uint8)
    return Image.fromarray(data)


def changed(before: Image.Image, after: Image.Image) -> list[tuple[int, ...]]:
    """What `paint` did: each pixel that differs as (x, y, red, green, blue)."""
    old, new = np.asarray(before.convert("RGB")), np.asarray(after.convert("RGB"))
    rows, columns = np.nonzero((old != new).any(-1))
    return [(int(x), int(y), *map(int, new[y, x])) for x, y in zip(columns, rows, strict=True)]


def attack(
    image: Image.Image,
    score: Score,
    *,
    pixels: int = 1,
    queries: int = 400,
    candidates: int = CANDIDATES,
    seed: int = 0,
    on_round: Callable[[Attack], bool | None] | None = None,
) -> Attack:
    """Searches `pixels` pixels that bring the score below 0.

    The unchanged picture is scored first, then whole rounds of `candidates` pictures while they fit into `queries`, or
    until one is below 0. `on_round` gets the best attack so far after each round and ends the search by returning True.
    """
    if pixels < 1 or candidates < 5 or queries < candidates:
        raise ValueError(f"pixels={pixels}, candidates={candidates}, queries={queries} make no attack")
    base = view(image)
    before = float(score([base])[0])
    best: tuple[float, np.ndarray | None] = (before, None)
    scored, stopped = 1, False

    def best_attack(stopped: bool) -> Attack:
        after, candidate = best
        attacked = base if candidate is None else paint(base, candidate)
        return Attack(attacked, before, after, after < 0, scored, stopped)

    def losses(population: np.ndarray) -> np.ndarray:
        nonlocal best, scored, stopped
        columns = population.reshape(5 * pixels, -1).T  # scipy gives (variables, candidates)
        scores = np.asarray(score([paint(base, column) for column in columns]), float)
        scored += len(columns)
        if scores.min() < best[0]:
            best = (float(scores.min()), columns[int(scores.argmin())].copy())
        stopped = on_round is not None and bool(on_round(best_attack(stopped=True)))
        if stopped or best[0] < 0 or scored + len(columns) > queries + 1:
            raise _Done
        return scores

    bounds = [(0, base.width), (0, base.height), (0, 256), (0, 256), (0, 256)] * pixels
    rng = np.random.default_rng(seed)
    low, high = np.array(bounds).T
    try:
        if before >= 0:
            differential_evolution(
                losses, bounds, init=low + rng.random((candidates, len(bounds))) * (high - low), maxiter=queries,
                mutation=0.5, recombination=1.0, polish=False, tol=0, atol=-1, rng=rng, vectorized=True,
                updating="deferred",
            )  # fmt: skip
    except _Done:
        pass
    return best_attack(stopped)
