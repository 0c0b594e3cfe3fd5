"""The tower that a system brings along: what is prepared for training is what its own graph makes of the same words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from models import weights
from models.errors import BadInput
from models.tokenizers.wordpieces import Vocabulary
from training.backbones.base import BackboneSpec
from training.backbones.minilm import HiddenStates, MiniLM

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

TEXTS = ["we love good people", None, "we hate the mondays and the people", "we"]


@pytest.fixture(autouse=True)
def shelf(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tiny.root))


def spec(**settings: object) -> BackboneSpec:
    return BackboneSpec("minilm", **{"max_length": 6, **settings})  # type: ignore[arg-type]


def test_the_store_holds_what_the_front_says(tmp_path: Path) -> None:
    encoder = MiniLM("text", spec(), tmp_path)
    store = encoder.prepare(TEXTS)
    tokens, mask = store.batch(np.arange(4))
    assert mask.sum(1).tolist() == [6, 0, 6, 3]  # with start and end, cut after six pieces
    assert not tokens[1].any()
    pieces = Vocabulary(weights.card("minilm_vocabulary"), max_length=6).look_up([TEXTS[0]])
    states, _ = encoder.front(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask))
    assert torch.allclose(tokens[0], states[0], atol=0.1)  # prepared in bfloat16


def test_it_is_prepared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = MiniLM("text", spec(), tmp_path).prepare(TEXTS).batch([0])
    monkeypatch.setattr(MiniLM, "_compute", lambda *_: pytest.fail("computed again"))
    again, _ = MiniLM("text", spec(), tmp_path).prepare(TEXTS).batch([0])
    assert torch.equal(first, again)


def test_the_upper_layers_go_on_from_the_state_below_them(tmp_path: Path) -> None:
    encoder = MiniLM("text", spec(finetune=True, options={"layers": 2}), tmp_path)
    pieces = Vocabulary(weights.card("minilm_vocabulary"), max_length=6).look_up([TEXTS[0]])
    states, mask = HiddenStates(2)(torch.from_numpy(pieces.embedded), torch.from_numpy(pieces.mask).bool())
    read, _ = encoder.module.eval()(states, mask)
    assert torch.allclose(read[..., :384], states[..., 384:], atol=1e-4)  # untrained, they are the tower's own


def test_trained_layers_need_all_tokens(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="leave out `pooled` or `finetune`"):
        MiniLM("text", spec(finetune=True, pooled=True), tmp_path)
