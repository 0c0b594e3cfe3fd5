from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from models.emotions.text import LABELS
from training.emotions.text import average_states, targets


def test_names_become_columns() -> None:
    y_true = targets(pd.Series([["joy", "love"], [], ["neutral"]]))
    assert (y_true.shape, y_true.dtype) == ((3, 28), np.float32)
    names = [[LABELS[column] for column in np.flatnonzero(row)] for row in y_true]
    assert names == [["joy", "love"], [], ["neutral"]]
    with pytest.raises(KeyError, match="boredom"):
        targets(pd.Series([["boredom"]]))


def test_two_rounds_are_averaged_but_for_integers() -> None:
    before, after = ({"weight": torch.full((2,), value), "position": torch.tensor(int(value))} for value in (1.0, 4.0))
    average = average_states(before, after)
    assert average["weight"].tolist() == [2.5, 2.5]
    assert average["position"].item() == 4
