"""The array cache: computed once, by key, and never half written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from training.features.cache import cached_array, cached_arrays, cached_rows, digest


class Compute:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def array(self) -> np.ndarray:
        self.calls += 1
        return np.arange(6.0).reshape(2, 3)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"rows": self.array(), "starts": np.array([0, 2])}

    def blocks(self) -> Iterator[np.ndarray]:
        yield from self.array()[:, None]


@pytest.fixture
def compute() -> Compute:
    return Compute()


def test_an_array_is_computed_once_for_each_key(compute: Compute, tmp_path: Path) -> None:
    for key in (["a", b"b"], ["a", b"b"], ["ab"], ["b", "a"]):
        assert cached_array(tmp_path / "new", "name", key, compute.array).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert compute.calls == 3


def test_several_arrays_share_a_file(compute: Compute, tmp_path: Path) -> None:
    for _ in range(2):
        arrays = cached_arrays(tmp_path, "name", ["a"], compute.arrays)
        assert (arrays["rows"].shape, arrays["starts"].tolist()) == ((2, 3), [0, 2])
    assert compute.calls == len(list(tmp_path.iterdir())) == 1


def test_rows_are_written_block_by_block(compute: Compute, tmp_path: Path) -> None:
    for _ in range(2):
        rows = cached_rows(tmp_path, "name", ["a"], compute.blocks, shape=(2, 3), dtype=np.float16)
        assert rows.tolist() == [[0, 1, 2], [3, 4, 5]] and rows.dtype == np.float16
        assert isinstance(rows, np.memmap) and not rows.flags.writeable
    assert compute.calls == 1


def test_a_broken_off_computation_leaves_nothing_that_is_taken_for_complete(compute: Compute, tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.ones((1, 3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_rows(tmp_path, "name", ["a"], broken, shape=(2, 3))
    assert cached_rows(tmp_path, "name", ["a"], compute.blocks, shape=(2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_digest_tells_where_items_end() -> None:
    assert digest(["a", "b"]) == digest([b"a", "b"])
    assert len({digest(items) for items in (["a", "b"], ["ab"], ["b", "a"], ["a", "b", ""])}) == 4
