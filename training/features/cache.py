"""The one cache of arrays on the disk: computed once, found again by what they were computed from.

How to call it: give the folder, a readable name, everything the values depend on as `key` (the identity of the weights, the
data, settings), and a function that computes them. The function runs only where no file with this key exists.

    tokens = cached_array(cache, "tokens", [card.identity, *pictures], lambda: encode(pictures))
    arrays = cached_arrays(cache, "texts", [identity, *texts], lambda: {"tokens": tokens(texts), "starts": starts(texts)})
    rows = cached_rows(cache, "pictures", [identity, *pictures], blocks, shape=(len(pictures), 49, 1280), dtype=np.float16)

`cached_rows` is for what does not fit into memory: blocks of rows go straight to the disk, and the result is memory-mapped.
Files are written under another name and renamed when they are complete, so that a killed run leaves no half file behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike


def cached_array(
    folder: Path, name: str, key: Iterable[str | bytes], compute: Callable[[], np.ndarray], *, mmap: bool = False
) -> np.ndarray:
    """The array in `folder/NAME-DIGEST.npy`, computed and saved where there is none; read-only and on the disk if `mmap`."""
    file = _file(folder, name, key, ".npy")
    if not file.is_file():
        save_array(file, compute())
    return np.load(file, mmap_mode="r" if mmap else None)


def cached_arrays(
    folder: Path, name: str, key: Iterable[str | bytes], compute: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Several arrays by name in one file `folder/NAME-DIGEST.npz`, computed and saved where there is none."""
    file = _file(folder, name, key, ".npz")
    if not file.is_file():
        arrays = dict(compute())
        with _complete(file) as unfinished:
            np.savez(unfinished, **arrays)  # type: ignore[arg-type]  # numpy's stub takes names for flags
    with np.load(file) as stored:
        return dict(stored)


def cached_rows(
    folder: Path,
    name: str,
    key: Iterable[str | bytes],
    blocks: Callable[[], Iterable[np.ndarray]],
    *,
    shape: tuple[int, ...],
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """An array of this shape, memory-mapped and read-only; `blocks` gives its rows in order, some at a time."""
    file = _file(folder, name, key, ".npy")
    if not file.is_file():
        with _complete(file) as unfinished:
            rows, start = np.lib.format.open_memmap(unfinished, mode="w+", dtype=dtype, shape=shape), 0
            for block in blocks():
                rows[start : start + len(block)] = block
                start += len(block)
            rows.flush()
    return np.load(file, mmap_mode="r")


def save_array(file: Path, array: np.ndarray) -> None:
    """Writes a .npy file that appears under its name only when it is complete."""
    with _complete(file) as unfinished:
        np.save(unfinished, array)


def digest(items: Iterable[str | bytes]) -> str:
    """A hash in hexadecimal digits of items in their order; where one ends and the next begins counts."""
    combined = hashlib.sha256()
    for item in items:
        combined.update(hashlib.sha256(item.encode() if isinstance(item, str) else item).digest())
    return combined.hexdigest()


def _file(folder: Path, name: str, key: Iterable[str | bytes], ending: str) -> Path:
    return folder / f"{name}-{digest(key)[:20]}{ending}"


@contextmanager
def _complete(file: Path) -> Iterator[Path]:
    """A path to write to, which is renamed to `file` when the block ends without an error."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.stem}.part{file.suffix}")  # numpy appends a suffix that is not its own
    yield unfinished
    unfinished.replace(file)
