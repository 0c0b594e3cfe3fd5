"""Whatever is registered as a fusion keeps to what all of them promise."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.errors import MAX_SIMILAR, BadInput, suggest
from models.fusion import registry


def build(name: str, image: int | None = 10, text: int | None = 6) -> nn.Module:
    torch.manual_seed(0)
    return registry.build(name, image, text, {"width": 8, "dropout": 0.5}).eval()


def sides(rows: int = 3, words: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(1)
    return (
        torch.randn(rows, 7, 10), torch.ones(rows, 7, dtype=torch.bool),
        torch.randn(rows, words, 6), torch.ones(rows, words, dtype=torch.bool),
    )  # fmt: skip


@pytest.mark.parametrize("name", registry.FUSIONS)
def test_shapes(name: str) -> None:
    net = build(name)
    state = net(*sides())
    assert state.fused.shape == (3, net.fused_width)
    assert state.image.shape == state.text.shape == (3, 8)


@pytest.mark.parametrize("name", registry.FUSIONS)
def test_padding_and_neighbours_change_nothing(name: str) -> None:
    net, (image, image_mask, text, text_mask) = build(name), sides()
    padded = torch.cat([text, 100 * torch.ones(3, 4, 6)], dim=1)
    longer = torch.cat([text_mask, torch.zeros(3, 4, dtype=torch.bool)], dim=1)
    whole = net(image, image_mask, padded, longer).fused
    assert torch.allclose(whole, net(image, image_mask, text, text_mask).fused, atol=1e-5)
    alone = net(image[1:2], image_mask[1:2], text[1:2], text_mask[1:2]).fused
    assert torch.allclose(whole[1:2], alone, atol=1e-5)


@pytest.mark.parametrize("name", registry.FUSIONS)
@pytest.mark.parametrize("side", ["image", "text"])
def test_what_an_absent_side_holds_is_not_read(name: str, side: str) -> None:
    net, (image, image_mask, text, text_mask) = build(name), sides()
    if side == "image":
        absent = net(image, image_mask & False, text, text_mask).fused
        changed = net(image + 5, image_mask & False, text, text_mask).fused
    else:
        absent = net(image, image_mask, text, text_mask & False).fused
        changed = net(image, image_mask, text + 5, text_mask & False).fused
    present = net(image, image_mask, text, text_mask).fused
    assert torch.allclose(absent, changed, atol=1e-5)
    assert torch.isfinite(absent).all()
    assert not torch.allclose(absent, present, atol=1e-4)


@pytest.mark.parametrize("name", registry.FUSIONS)
def test_everything_is_learned(name: str) -> None:
    net, (image, image_mask, text, text_mask) = build(name), sides()
    image_mask, text_mask = image_mask.clone(), text_mask.clone()
    image_mask[0], text_mask[1] = False, False  # so that the learned states are reached too
    state = net(image, image_mask, text, text_mask)
    parts = [part for part in (state.fused, state.image, state.text, state.gates) if part is not None]
    sum((part.square() * torch.randn_like(part)).sum() for part in parts).backward()
    assert [key for key, value in net.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("name", registry.FUSIONS)
def test_one_side_alone(name: str) -> None:
    """It works with either side alone, or refuses both in a sentence."""
    image, image_mask, text, text_mask = sides()
    try:
        words_alone = build(name, image=None)
    except BadInput as error:
        assert name not in ("concatenation", "experts")
        assert "picture side and a text side" in str(error)
        with pytest.raises(BadInput, match="picture side and a text side"):
            build(name, text=None)
    else:
        assert words_alone(torch.zeros(3, 1, 1), text_mask[:, :1], text, text_mask).fused.shape[0] == 3
        assert build(name, text=None)(image, image_mask, torch.zeros(3, 1, 1), image_mask[:, :1]).fused.shape[0] == 3


def test_the_gate_is_between_both_sides() -> None:
    net = build("gated")
    nn.init.zeros_(net.gate.weight)
    image, image_mask, text, text_mask = sides()
    image_state, text_state = net.image.pooled(image, image_mask), net.text.pooled(text, text_mask)
    for bias, wanted in (
        (50.0, torch.tanh(net.from_image(image_state))),
        (-50.0, torch.tanh(net.from_text(text_state))),
    ):
        nn.init.constant_(net.gate.bias, bias)
        assert torch.allclose(net(image, image_mask, text, text_mask).fused, wanted, atol=1e-5)


def test_gates_are_shares_and_leave_with_the_experts() -> None:
    gates = build("experts")(*sides()).gates
    assert gates.shape == (3, 4)
    assert torch.allclose(gates.sum(1), torch.ones(3))
    without = registry.build("experts", 10, 6, {"width": 8, "experts": 0})
    assert without(*sides()).gates is None
    plain = registry.build("experts", 10, 6, {"width": 8, "cross_attention": False})
    assert plain.image_to_text is None


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [("gatd", {}, "Did you mean 'gated'"), ("early", {"layer": 1}, "Did you mean 'layers'"), ("early", {"width": 7}, "heads=4"),
     ("gated", {"dropout": 1.0}, "dropout=1.0")],
)  # fmt: skip
def test_wrong_names_and_settings_are_one_sentence(name: str, options: dict, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        registry.build(name, 10, 6, options)


def test_of_many_names_a_hint_tells_the_nearest() -> None:
    known = [f"ViT-{letter}-{size}" for letter in "BLHG" for size in range(14, 40)]
    assert suggest("ViT-B-33x", known) == " Did you mean 'ViT-B-33'?"
    hint = suggest("ResNet-33", known)
    assert hint.startswith(" There are 104, of which the nearest are: ViT-")
    assert hint.count(",") == 1 + MAX_SIMILAR - 1
    assert suggest("words", ["image", "text"]) == " There are: image, text."
