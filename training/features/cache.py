"""The one cache of arrays on the disk: computed once, found again by what they were computed from.

How to call it: give the folder, a readable name, everything the values depend on as `key` (the identity of the weights, the
data, settings), and a function that computes them. The function runs only where no file with this key exists.

    tokens = cached_array(cache, "tokens", [card.identity, *pictures], lambda: encode(pictures))
    arrays = cached_arrays(cache, "texts", [identity, *texts], lambda: {"tokens": tokens(texts), "starts": starts(texts)})
    rows = cached_rows(cache, "pictures", [identity, *pictures], blocks, shape=(len(pictures), 49, 1280), dtype=np.float16)

`cached_rows` is for what does not fit into memory: blocks of rows go straight to the disk, and the result is memory-mapped.
Files are written under another name and renamed when they are complete, so that a killed run leaves no half file behind.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike


def cached_array(folder: Path, name: str, key: Iterable[str | bytes], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in `folder/NAME-DIGEST.npy`, computed and saved where there is none."""
    return np.load(_cached_file(folder, f"{name}-KEY.npy", key, lambda file: np.save(file, compute())))


def cached_arrays(
    folder: Path, name: str, key: Iterable[str | bytes], compute: Callable[[], Mapping[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Several arrays by name in one file `folder/NAME-DIGEST.npz`, computed and saved where there is none."""

    def write(file: Path) -> None:
        np.savez(file, **compute())  # type: ignore[arg-type]  # numpy's stub takes names for flags

    with np.load(_cached_file(folder, f"{name}-KEY.npz", key, write)) as stored:
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

    def write(file: Path) -> None:
        rows, start = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape), 0
        for block in blocks():
            rows[start : start + len(block)] = block
            start += len(block)
        rows.flush()

    return np.load(_cached_file(folder, f"{name}-KEY.npy", key, write), mmap_mode="r")


def write_complete(file: Path, write: Callable[[Path], None]) -> None:
    """Calls `write` with another name in the folder of `file`; the file appears under its own when it is complete."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.stem}.part{file.suffix}")  # numpy appends a suffix that is not its own
    write(unfinished)
    unfinished.replace(file)


def digest(items: Iterable[str | bytes]) -> str:
    """A hash in hexadecimal digits of items in their order; where one ends and the next begins counts."""
    combined = hashlib.sha256()
    for item in items:
        combined.update(hashlib.sha256(item.encode() if isinstance(item, str) else item).digest())
    return combined.hexdigest()


def _cached_file(folder: Path, name: str, key: Iterable[str | bytes], write: Callable[[Path], None]) -> Path:
    file = folder / name.replace("KEY", digest(key)[:20])
    if not file.is_file():
        write_complete(file, write)
    return file
