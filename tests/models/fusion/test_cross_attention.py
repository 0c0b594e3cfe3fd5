"""What the fusion must not depend on, what it must, and that its graph is the same function."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import weights
from models.encoders.base import Tokens
from models.fusion.base import FusionSession
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings

if TYPE_CHECKING:
    from tests.weights_for_tests import Tiny

SMALLEST = 64  # weights with fewer elements stay in the graph, in float32
SETTINGS = CrossAttentionSettings(image_width=10, text_width=6, width=12, heads=3)
Sides = tuple[Tensor, Tensor, Tensor, Tensor]


@pytest.fixture
def net() -> CrossAttention:
    torch.manual_seed(0)
    return CrossAttention(SETTINGS).eval()


@pytest.fixture
def sides() -> Sides:
    """Three memes with 49 patches and 5, 3 and 4 words."""
    torch.manual_seed(1)
    mask = torch.arange(5) < torch.tensor([5, 3, 4])[:, None]
    return torch.randn(3, 49, 10), torch.ones(3, 49, dtype=torch.bool), torch.randn(3, 5, 6), mask


def near(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_padding_changes_nothing(net: CrossAttention, sides: Sides) -> None:
    image, image_mask, text, text_mask = sides
    logits, to_regions, to_words = net(*sides)
    longer = torch.cat([text.masked_fill(~text_mask[..., None], 7.0), torch.full((3, 4, 6), -9.0)], dim=1)
    padded = net(image, image_mask, longer, torch.cat([text_mask, torch.zeros(3, 4, dtype=torch.bool)], dim=1))
    near(padded[0], logits)
    near(padded[2][..., :5], to_words)
    for row, length in enumerate((5, 3, 4)):
        near(padded[1][row, :, :length], to_regions[row, :, :length])
        assert padded[2][row, :, :, length:].max() == 0, "nothing looks at padding"


@torch.inference_mode()
def test_a_batch_is_its_rows_one_by_one(net: CrossAttention, sides: Sides) -> None:
    together = net(*sides)[0]
    for row, length in enumerate((5, 3, 4)):
        image, image_mask, text, text_mask = (side[row : row + 1] for side in sides)
        near(net(image, image_mask, text[:, :length], text_mask[:, :length])[0], together[row : row + 1])


@torch.inference_mode()
@pytest.mark.parametrize("absent", ["image", "text", "both"])
def test_what_stands_in_an_absent_side_does_not_matter_but_its_learned_state_does(
    net: CrossAttention, sides: Sides, absent: str
) -> None:
    def without(filling: float, length: int) -> Tensor:
        image, image_mask, text, text_mask = (side[:1] for side in sides)
        if absent in ("image", "both"):
            image, image_mask = torch.full((1, length, 10), filling), torch.zeros(1, length, dtype=torch.bool)
        if absent in ("text", "both"):
            text, text_mask = torch.full((1, length, 6), filling), torch.zeros(1, length, dtype=torch.bool)
        return net(image, image_mask, text, text_mask)[0]

    logits = without(0.0, 2)
    near(without(5.0, 7), logits)
    assert (logits - net(*sides)[0][:1]).abs().max() > 1e-3
    for learned, matters in ((net.no_image, absent != "text"), (net.no_text, absent != "image")):
        before = learned.clone()
        learned.add_(torch.linspace(-3, 3, 12))
        assert bool((without(0.0, 2) - logits).abs().max() > 1e-3) is matters
        learned.copy_(before)


@torch.inference_mode()
def test_rows_of_one_batch_may_lack_different_sides(net: CrossAttention, sides: Sides) -> None:
    image, image_mask, text, text_mask = (side.clone() for side in sides)
    image_mask[0], text_mask[1] = False, False
    together = net(image, image_mask, text, text_mask)[0]
    for row in range(3):
        near(net(*(side[row : row + 1] for side in (image, image_mask, text, text_mask)))[0], together[row : row + 1])


@torch.inference_mode()
def test_attention_is_shared_out_among_the_real_tokens(net: CrossAttention, sides: Sides) -> None:
    _, to_regions, to_words = net(*sides)
    assert to_regions.shape == (3, 3, 5, 49)
    assert to_words.shape == (3, 3, 49, 5)
    near(to_regions.sum(-1), torch.ones(3, 3, 5))
    near(to_words.sum(-1), torch.ones(3, 3, 49))
    assert to_words[1, :, :, 3:].max() == 0
    assert to_regions[0].std() > 0, "an attention that is the same everywhere shows nothing"


@torch.inference_mode()
def test_the_place_of_a_patch_matters(net: CrossAttention, sides: Sides) -> None:
    image, *others = sides
    assert (net(image.flip(1), *others)[0] - net(*sides)[0]).abs().max() > 1e-4


def test_both_sides_learn_their_absence(net: CrossAttention, sides: Sides) -> None:
    image, image_mask, text, text_mask = (side.clone() for side in sides)
    image_mask[0], text_mask[1] = False, False
    net(image, image_mask, text, text_mask)[0].sum().backward()
    for learned in (net.no_image, net.no_text):
        assert learned.grad is not None
        assert learned.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("wrong", "quoted"),
    [({"width": 10, "heads": 3}, "width=10"), ({"dropout": 1.0}, "dropout=1.0"), ({"head_dropout": -0.1}, "-0.1")],
)
def test_settings_refuse_nonsense(wrong: dict[str, float], quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        CrossAttentionSettings(**wrong)  # type: ignore[arg-type]


def rounded(module: nn.Module) -> nn.Module:
    """A copy with its weights in float16, as they are stored."""
    rounded = copy.deepcopy(module)
    for weight in rounded.parameters():
        if weight.numel() >= SMALLEST:
            weight.data = weight.data.half().float()
    return rounded.eval()


def tokens(rows: int, lengths: list[int], width: int, seed: int) -> Tokens:
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(rows, max(lengths), width)).astype(np.float32)
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    return Tokens(drawn, mask, np.zeros((rows, 512), np.float32))


IMAGE, TEXT = tokens(3, [49, 49, 49], 1280, 1), tokens(3, [6, 2, 9], 768, 2)
GAPS = tokens(3, [0, 49, 0], 1280, 3), tokens(3, [4, 0, 7], 768, 4)


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (IMAGE, TEXT),
        (IMAGE.take([1]), TEXT.take([2])),
        (IMAGE, None),
        (None, TEXT),
        (None, TEXT.take([0])),
        (None, None),
        GAPS,
    ],
    ids=["both", "one meme", "pictures", "words", "one caption", "neither", "gaps"],
)
def test_the_graph_gives_what_the_module_gives(shelf: Tiny, image: Tokens | None, text: Tokens | None) -> None:
    fused = FusionSession(weights.card("hate_cross_attention"), threads=1).fuse(image, text)
    rows = len((image or text or TEXT.take([0])).mask)
    fed = []
    for side, width in ((image, 1280), (text, 768)):
        fed += [torch.zeros(rows, 1, width), torch.zeros(rows, 1).bool()] if side is None else [
            torch.from_numpy(side.tokens), torch.from_numpy(side.mask)
        ]  # fmt: skip
    with torch.inference_mode():
        logits, words, regions = (part.numpy() for part in rounded(shelf.together)(*fed))
    np.testing.assert_allclose(fused.logits, logits, atol=1e-4)
    assert fused.attention is not None
    assert fused.attention.words.shape == words.shape
    np.testing.assert_allclose(fused.attention.words, words, atol=1e-5)
    np.testing.assert_allclose(fused.attention.regions, regions, atol=1e-5)
    assert fused.logits.dtype == np.float32
