"""The joint space's loss against InfoNCE written out, its memory, and 8-bit graphs against the modules they came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from models import weights
from training import export
from training.joint_flickr8k import Memory, _loss
from training.joint_net import info_nce


def unit(rows: int, seed: int) -> Tensor:
    return normalize(torch.randn(rows, 16, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_without_hardness_it_is_info_nce() -> None:
    asked, partners, own = unit(6, 0), unit(9, 1), torch.arange(6)
    none = torch.zeros(6, 9, dtype=torch.bool)
    loss = info_nce(asked, partners, own, torch.tensor(20.0), same=none)
    assert loss.item() == pytest.approx(cross_entropy(20 * asked @ partners.T, own).item(), abs=1e-5)


def test_hard_partners_count_more_and_the_mean_weight_stays_1() -> None:
    asked, own = unit(1, 0), torch.tensor([0])
    partners = torch.cat([asked, asked * 0.9 + unit(1, 5) * 0.1, -asked])
    none = torch.zeros(1, 3, dtype=torch.bool)
    plain, hard = (info_nce(asked, partners, own, torch.tensor(5.0), same=none, hardness=b) for b in (0.0, 3.0))
    assert hard > plain
    even = torch.cat([asked, *[partners[1:2]] * 4])  # all wrong partners alike: each weight is 1
    none = torch.zeros(1, 5, dtype=torch.bool)
    plain, hard = (info_nce(asked, even, own, torch.tensor(5.0), same=none, hardness=b) for b in (0.0, 3.0))
    assert hard.item() == pytest.approx(plain.item(), abs=1e-5)


def test_another_caption_of_the_same_picture_is_no_wrong_partner() -> None:
    asked, own = unit(2, 0), torch.arange(2)
    partners = torch.cat([asked, asked[:1]])  # row 2 is another caption of picture 0
    same = torch.tensor([[True, False, True], [False, True, False]])
    expected = info_nce(asked, asked, own, torch.tensor(9.0), same=same[:, :2])
    assert info_nce(asked, partners, own, torch.tensor(9.0), same=same)[None][0].item() != pytest.approx(
        info_nce(asked, partners, own, torch.tensor(9.0), same=torch.zeros(2, 3, dtype=torch.bool)).item()
    )
    first = cross_entropy((9 * asked[:1] @ asked.T), own[:1])
    second = cross_entropy((9 * asked[1:] @ partners.T), own[1:])
    assert expected.item() == pytest.approx(
        ((first + cross_entropy(9 * asked[1:] @ asked.T, own[1:])) / 2).item(), abs=1e-5
    )
    loss = info_nce(asked, partners, own, torch.tensor(9.0), same=same)
    assert loss.item() == pytest.approx(((first + second) / 2).item(), abs=1e-5)


def test_the_memory_keeps_the_last_captions_and_none_of_a_pictures_own_count() -> None:
    memory = Memory(3)
    memory.put(torch.eye(2, 512), torch.tensor([4, 5]))
    memory.put(torch.eye(2, 512), torch.tensor([6, 7]))
    assert memory.rows.tolist() == [5, 6, 7]
    pictures, words = torch.eye(2, 512), torch.eye(2, 512)
    strange, own = Memory(9), Memory(9)
    strange.put(torch.eye(2, 512), torch.tensor([8, 9]))
    own.put(torch.eye(2, 512), torch.tensor([0, 1]))  # earlier captions of the very pictures
    at = torch.tensor([0, 1])
    scale = torch.tensor(5.0)
    empty = _loss(pictures, words, at, Memory(9), scale, 0.0)
    assert _loss(pictures, words, at, own, scale, 0.0).item() < _loss(pictures, words, at, strange, scale, 0.0).item()
    assert empty.item() < _loss(pictures, words, at, strange, scale, 0.0).item()


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.look, self.answer = nn.Conv2d(3, 64, 5, stride=4), nn.Linear(64, 100)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.answer(self.look(pixels).relu().mean((2, 3)))


def test_eight_bits_are_small_and_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUBTEXT_WEIGHTS", str(tmp_path))
    torch.manual_seed(0)
    module, sizes = Small().eval(), {}
    pixels = torch.randn(3, 3, 32, 32)
    with torch.no_grad():
        expected = module(pixels).numpy()
    for name, bits in (("half", 16), ("eight", 8)):
        graph = export.trace(
            module, [torch.randn(2, 3, 32, 32)], names=["pixels"], outputs=["answer"], dynamic={"pixels": {0: "batch"}}
        )
        export.write(name, config={}, metrics={}, readme="x", graph=graph, bits=bits)
        [given] = weights.session(weights.card(name)).run(None, {"pixels": pixels.numpy()})
        assert np.abs(given - expected).max() < 0.02 * np.abs(expected).max(), name
        sizes[name] = (tmp_path / name / "model.safetensors").stat().st_size
    assert sizes["eight"] < 0.62 * sizes["half"]
