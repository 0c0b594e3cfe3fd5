"""The joint space's loss against InfoNCE written out, its training, and 8-bit graphs against the modules they came from."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import weights
from training import config
from training.export import weights_folder
from training.metrics import retrieval
from training.retrieval.data import Captions, Photographs, padded, through, told
from training.retrieval.model import STAGES, Joint, Words, WordsForExport
from training.retrieval.train import Pairs, rank, train


@pytest.fixture(scope="module")
def captions() -> Captions:
    colours, things = ("red", "blue", "green", "white"), ("dog", "car", "house")
    return Captions(
        [[f"a {colour} {thing}", f"one {thing} that is {colour}"] for colour in colours for thing in things]
    )


def pairs(captions: Captions, cache: Path) -> Pairs:
    """Drawn features of 12 photographs in two variants, with two captions each."""
    seen = torch.randn(2, len(captions.pieces), sum(STAGES), generator=torch.Generator().manual_seed(1))
    return Pairs(Photographs(seen), told(Words(), captions, cache))


def test_what_the_frozen_half_said_is_kept_and_goes_through_the_upper_half(captions: Captions, tmp_path: Path) -> None:
    words = Words().eval()
    heard = told(words, captions, tmp_path)
    again = told(words, captions, tmp_path)  # from the cache
    assert np.array_equal(heard.states, again.states) and torch.equal(heard.means, again.means)
    words.side.standardise(heard.means)
    flat = [one for several in captions.pieces for one in several]
    with torch.no_grad():
        direct = words.side(words.read(*padded(flat))[1])  # the whole tower at once, in full precision
        found = through(words, heard, range(len(flat)), at_once=7)
    assert torch.allclose(found, direct, atol=0.03)
    assert (found @ direct.T).argmax(1).tolist() == list(range(len(flat)))  # each is its own nearest


def test_a_caption_of_each_photograph_is_drawn_from_its_own(captions: Captions, tmp_path: Path) -> None:
    heard, rng = told(Words(), captions, tmp_path), np.random.default_rng(0)
    rows = np.array([3, 0, 11])
    drawn = np.array([heard.one_of_each(rows, rng) for _ in range(30)])
    assert (heard.owner[drawn] == rows).all()
    assert len(np.unique(drawn[:, 0])) == 2  # both of its captions come


def test_training_brings_pairs_together_and_goes_on_where_it_stopped(captions: Captions, tmp_path: Path) -> None:
    settings = config.read("joint_flickr8k", argparse.Namespace(seed=None, epochs=None))
    settings |= {"steps_heads": 30, "steps": 2, "batch": 8, "batch_heads": 12, "warmup": 1, "check": 1}
    torch.manual_seed(0)
    drawn = pairs(captions, tmp_path)
    joint = train(Joint(), drawn, drawn, settings, tmp_path)
    assert retrieval.recalls(rank(joint, drawn))["text_to_image_r1"] == 100.0
    history = json.loads((tmp_path / "history.json").read_text())
    assert [line["step"] for line in history] == [0, 1, 2]
    settings["steps"] = 3
    train(Joint(), drawn, drawn, settings, tmp_path, resume=True)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [line["step"] for line in history] == [0, 1, 2, 3]


def test_the_graph_of_the_words_says_what_the_training_said(captions: Captions, tmp_path: Path) -> None:
    words = Words().eval()
    heard = told(words, captions, tmp_path)
    words.side.standardise(heard.means)
    ids, mask = padded([one for several in captions.pieces for one in several])
    with torch.no_grad():
        expected = words.side(words.read(ids, mask)[1])
        embedded = words.tower.embeddings.word_embeddings(ids)
        given = WordsForExport(words).eval()(embedded, mask)
    assert torch.allclose(given, expected, atol=1e-4)


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
        graph = weights_folder.trace(
            module, [torch.randn(2, 3, 32, 32)], names=["pixels"], outputs=["answer"], dynamic={"pixels": {0: "batch"}}
        )
        weights_folder.write(name, config={}, metrics={}, readme="x", graph=graph, bits=bits)
        [given] = weights.session(weights.card(name)).run(None, {"pixels": pixels.numpy()})
        assert np.abs(given - expected).max() < 0.02 * np.abs(expected).max(), name
        sizes[name] = (tmp_path / name / "model.safetensors").stat().st_size
    assert sizes["eight"] < 0.62 * sizes["half"]
