"""Pieces of EMOTIC's Annotations.mat in its official layout, for `scipy.io.savemat`."""

from __future__ import annotations

import numpy as np


def struct(**fields: object) -> np.ndarray:
    """A 1x1 MATLAB struct."""
    array = np.zeros((1, 1), dtype=[(name, object) for name in fields])
    for name, value in fields.items():
        array[name][0, 0] = value
    return array


def structs(entries: list[np.ndarray]) -> np.ndarray:
    """A 1xN struct array of 1x1 structs with the same fields."""
    return np.concatenate(entries, axis=1)


def cell(names: list[str]) -> np.ndarray:
    """A 1xN cell array of strings."""
    array = np.empty((1, len(names)), dtype=object)
    array[0] = names
    return array


def continuous(valence: float, arousal: float, dominance: float) -> np.ndarray:
    """The ratings of one annotator."""
    return struct(valence=float(valence), arousal=float(arousal), dominance=float(dominance))


def entry(filename: str, people: list[np.ndarray]) -> np.ndarray:
    """A picture with its people."""
    return struct(
        filename=filename,
        folder="mscoco/images",
        image_size=struct(n_col=640.0, n_row=480.0),
        original_database=struct(name="mscoco", info=struct(image_id=1.0, annotations_id=2.0)),
        person=structs(people),
    )
