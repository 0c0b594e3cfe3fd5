"""The joint space's features and training, and its text graph against the tower it came from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.config import load_config
from training.metrics import retrieval
from training.retrieval.data import Pairs, encode_captions, encode_with_trained_tower, pad, tokenize
from training.retrieval.model import STAGES_WIDTH, JointModel, TextForExport, TextTower
from training.retrieval.train import JointConfig, rank, train


@pytest.fixture(scope="module")
def captions() -> list[list[str]]:
    """Two captions of each of 12 photographs."""
    colours, things = ("red", "blue", "green", "white"), ("dog", "car", "house")
    return [[f"a {colour} {thing}", f"one {thing} that is {colour}"] for colour in colours for thing in things]


def drawn_pairs(captions: list[list[str]], cache: Path) -> Pairs:
    """Drawn features of the photographs in two variants, with their captions."""
    photos = torch.randn(2, len(captions), STAGES_WIDTH, generator=torch.Generator().manual_seed(1))
    return Pairs(photos, encode_captions(TextTower(), captions, cache))


def test_captions_are_encoded_once_and_go_through_the_upper_half(captions: list[list[str]], tmp_path: Path) -> None:
    text = TextTower().eval()
    features = encode_captions(text, captions, tmp_path)
    again = encode_captions(text, captions, tmp_path)  # from the cache
    assert np.array_equal(features.states, again.states) and torch.equal(features.means, again.means)
    text.projection.standardize.fit(features.means)
    pieces = tokenize(captions)
    ids, mask = pad(pieces)
    with torch.no_grad():
        direct = text.projection(text.encode(mask, input_ids=ids)[1])  # the whole tower at once, in full precision
        vectors = encode_with_trained_tower(text, features, range(len(pieces)), batch_size=7)
    assert torch.allclose(vectors, direct, atol=0.03)
    assert (vectors @ direct.T).argmax(1).tolist() == list(range(len(pieces)))  # each is its own nearest


def test_a_caption_of_each_photograph_is_drawn_from_its_own(captions: list[list[str]], tmp_path: Path) -> None:
    features, rng = encode_captions(TextTower(), captions, tmp_path), np.random.default_rng(0)
    rows = np.array([3, 0, 11])
    drawn = np.array([features.draw(rows, rng) for _ in range(30)])
    assert (features.owner[drawn] == rows).all()
    assert len(np.unique(drawn[:, 0])) == 2  # both of its captions come


def test_training_brings_pairs_together_and_resumes_where_it_stopped(captions: list[list[str]], tmp_path: Path) -> None:
    small = {
        "projection_steps": 30,
        "projection_batch_size": 12,
        "steps": 2,
        "batch_size": 8,
        "warmup": 1,
        "check_every": 1,
    }
    config = replace(load_config("joint_flickr8k", JointConfig), **small)
    torch.manual_seed(0)
    pairs = drawn_pairs(captions, tmp_path)
    model = train(JointModel(), pairs, pairs, config, tmp_path)
    assert retrieval.recalls(rank(model, pairs))["text_to_image_r1"] == 100.0
    history = json.loads((tmp_path / "history.json").read_text())
    assert [line["step"] for line in history] == [0, 1, 2]
    train(JointModel(), pairs, pairs, replace(config, steps=3), tmp_path, resume=True)
    history = json.loads((tmp_path / "history.json").read_text())
    assert [line["step"] for line in history] == [0, 1, 2, 3]


def test_the_text_graph_gives_the_vectors_of_the_trained_tower(captions: list[list[str]], tmp_path: Path) -> None:
    text = TextTower().eval()
    text.projection.standardize.fit(encode_captions(text, captions, tmp_path).means)
    ids, mask = pad(tokenize(captions))
    with torch.no_grad():
        expected = text.projection(text.encode(mask, input_ids=ids)[1])
        embedded = text.tower.embeddings.word_embeddings(ids)
        vectors = TextForExport(text).eval()(embedded, mask)
    assert torch.allclose(vectors, expected, atol=1e-4)
