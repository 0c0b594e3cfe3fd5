"""The index on vectors whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from models.search.joint_space import Index


def unit(rows: int, seed: int = 0, width: int = 512) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_nearest_come_first_and_a_row_finds_itself() -> None:
    vectors, index = unit(300), Index()
    index.add(vectors[:100])
    index.add(vectors[100:])
    hits = index.search(vectors[123], 5)
    assert [hit.row for hit in hits] == np.argsort(-(vectors @ vectors[123]))[:5].tolist()
    assert hits[0].similarity == pytest.approx(1, abs=1e-5)
    assert np.allclose(index.vector(123), vectors[123])


def test_only_among_some_rows() -> None:
    vectors, index = unit(50), Index()
    index.add(vectors)
    assert {hit.row for hit in index.search(vectors[3], 10, among=[7, 9, 11])} == {7, 9, 11}
    assert index.search(vectors[3], 10, among=[]) == []


def test_an_empty_index_finds_nothing() -> None:
    assert Index().search(unit(1)[0]) == []
    assert Index().near_duplicates() == []


def test_near_duplicates_hang_together() -> None:
    vectors = unit(40)
    vectors[5] = vectors[20] * 0.999 + vectors[1] * 0.01
    vectors[6] = vectors[5]
    vectors[30] = vectors[31]
    index = Index()
    index.add(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert index.near_duplicates(0.98) == [[5, 6, 20], [30, 31]]
    assert index.near_duplicates(1.1) == []


def test_wrong_widths_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit an index of width 512"):
        Index().add(np.zeros((2, 3), np.float32))
