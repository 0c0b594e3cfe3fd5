"""The earlier system: CLIP's two towers, pooled; the text attends to the picture, one token each; a classifier.

Rebuilt from its description. Pictures are fed as its CLIPProcessor fed them: the shorter side to 224 pixels, the centre
cut out. Text was padded and cut at 77 pieces; CLIP's text tower reads left to right and is pooled at the end of the
text, so leaving the padding out changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

from models.analysis import Gradient, Grid, Meme, WordEffect
from models.encoders.base import GRID, Tokens, encode_in_batches
from models.fusion.base import Fused
from models.io.caption_words import words as split_words
from models.runtime.device import Device, Placed, to_numpy
from models.tokenizers.clip import ClipWords
from models.weights import Card

MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])[:, None, None]
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])[:, None, None]
BATCH_SIZE = 8
TRIVIAL = (
    "The attention of this checkpoint is 1.0 by construction: one text vector looks at one picture vector, and a single key "
    "gets all of it. Its gradient and the effect of covering parts are shown instead."
)

Put = Callable[[Tensor], Tensor]


class Network(nn.Module):
    """Names as in the checkpoint."""

    def __init__(self, architecture: Mapping[str, Any]) -> None:
        super().__init__()
        vision, text, width = architecture["vision"], architecture["text"], architecture["width"]
        self.vision_model = CLIPVisionModel(CLIPVisionConfig(**vision))
        self.text_model = CLIPTextModel(CLIPTextConfig(**text))
        self.vision_projection = nn.Linear(vision["hidden_size"], width)
        self.text_projection = nn.Linear(text["hidden_size"], width)
        self.cross_attention = nn.MultiheadAttention(width, architecture["heads"], batch_first=True)
        self.classifier = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, 1))

    def encode_image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) to patch tokens (B, P, hidden) and the projected pooled picture (B, width)."""
        output = self.vision_model(pixel_values=pixels)
        return output.last_hidden_state[:, 1:], self.vision_projection(output.pooler_output)

    def encode_text(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n) to word tokens (B, n, hidden) and the projected pooled text (B, width)."""
        output = self.text_model(input_ids=ids, attention_mask=mask.long())
        return output.last_hidden_state, self.text_projection(output.pooler_output)

    def classify(self, image: Tensor, text: Tensor) -> Tensor:
        """Both sides (B, width) to logits (B, 1)."""
        attended, _ = self.cross_attention(text[:, None], image[:, None], image[:, None], need_weights=False)
        return self.classifier(attended[:, 0])


class LegacyModel:
    """Encoder and fusion in one object, with the interfaces of both. Thread-safe."""

    def __init__(self, card: Card, device: Device) -> None:
        from safetensors.torch import load_file

        architecture = card.setting("architecture")
        network = Network(architecture)
        network.load_state_dict(load_file(card.folder / "model.safetensors"), strict=True)
        self.card = card
        self.placed = Placed(network, device)
        self.side: int = architecture["vision"]["image_size"]
        self.image_width: int = architecture["vision"]["hidden_size"]
        self.text_width: int = architecture["text"]["hidden_size"]
        self.width: int = architecture["width"]
        self.words = ClipWords(
            architecture["text"]["max_position_embeddings"], pad=architecture["text"]["vocab_size"] - 1
        )
        _, self._no_image = self._image_tokens(torch.zeros(1, 3, self.side, self.side))  # the mean colour

    def encode_images(self, images: Sequence[Image.Image]) -> Tokens:
        """tokens [batch, 49, hidden] of the picture's centre; pooled [batch, width] as the classifier takes it."""
        return encode_in_batches(
            images,
            BATCH_SIZE,
            lambda batch: self._image_tokens(torch.stack(list(map(self.prepare, batch)))),
            (self.image_width, self.width),
        )

    def encode_texts(self, texts: Sequence[str]) -> Tokens:
        """tokens [batch, n, hidden]; pooled [batch, width]."""
        pieces = self.words.look_up(texts)
        ids, mask = torch.from_numpy(pieces.ids), torch.from_numpy(pieces.mask)

        def compute(network: Network, put: Put) -> tuple[np.ndarray, np.ndarray]:
            tokens, pooled = network.encode_text(put(ids), put(mask))
            return to_numpy(tokens), to_numpy(pooled)

        tokens, pooled = self.placed.run(compute)
        return Tokens(tokens, pieces.mask, pooled, pieces.spans, pieces.cut)

    def fuse(self, image: Tokens | None, text: Tokens | None) -> Fused:
        """Row i of both sides is one meme; an absent side is the mean colour, or a text vector of zeros."""
        rows = len(image.mask) if image is not None else len(text.mask) if text is not None else 1
        image_state = torch.from_numpy(image.pooled if image is not None else np.repeat(self._no_image, rows, 0))
        text_state = torch.from_numpy(text.pooled) if text is not None else torch.zeros(rows, self.width)
        logits = self.placed.run(lambda network, put: to_numpy(network.classify(put(image_state), put(text_state))))
        return Fused(logits, unattended=TRIVIAL)

    def gradient(self, meme: Meme) -> Gradient:
        """Gradient times input of the logit for each pixel, summed over cells; and the words', by the chain rule."""
        if meme.image is None:
            return Gradient()
        pixels, caption = self.prepare(meme.image)[None], meme.caption.text
        said = self.encode_texts([caption]) if caption.strip() else None
        text_state = said.pooled if said is not None else np.zeros((1, self.width), np.float32)

        def compute(network: Network, put: Put) -> tuple[np.ndarray, float]:
            image = put(pixels).detach().requires_grad_()
            text = put(torch.from_numpy(text_state)).requires_grad_()
            logit = network.classify(network.encode_image(image)[1], text).sum()
            image_gradient, text_gradient = torch.autograd.grad(logit, (image, text))
            cells = (image_gradient * image).float().sum(1)  # (1, S, S)
            pooled = torch.nn.functional.adaptive_avg_pool2d(cells, GRID) * (self.side / GRID) ** 2
            return to_numpy(pooled.detach()[0]), float(text_gradient.float().abs().max())

        cells, text_effect = self.placed.run(compute, gradients=True)
        # No gradient reaches the text vector, so none reaches any word before it.
        words = split_words(caption, said.spans[0] if said is not None else ()) if text_effect == 0 else ()
        effects = tuple(WordEffect(text, start, end, 0.0) for text, start, end in words)
        return Gradient(effects, onto_picture(cells, meme.image.size))

    def prepare(self, image: Image.Image) -> Tensor:
        """(3, S, S): the shorter side to S pixels, the centre cut out, normalised by CLIP's mean and standard deviation."""
        width, height = image.size
        short = min(width, height)
        size = (int(width * self.side / short), int(height * self.side / short))
        small = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        left, top = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        centre = np.asarray(small.crop((left, top, left + self.side, top + self.side)), dtype=np.float32) / 255
        return (torch.from_numpy(centre).permute(2, 0, 1) - MEAN) / STD

    def _image_tokens(self, pixels: Tensor) -> tuple[np.ndarray, np.ndarray]:
        def compute(network: Network, put: Put) -> tuple[np.ndarray, np.ndarray]:
            tokens, pooled = network.encode_image(put(pixels))
            side = round(tokens.shape[1] ** 0.5)
            grid = tokens.float().transpose(1, 2).unflatten(2, (side, side))  # (B, hidden, side, side)
            grid = torch.nn.functional.adaptive_avg_pool2d(grid, GRID)
            return to_numpy(grid.flatten(2).transpose(1, 2)), to_numpy(pooled)

        return self.placed.run(compute)


def onto_picture(cells: np.ndarray, size: tuple[int, int]) -> Grid:
    """Cells 7x7 of the picture's centre square as cells 7x7 of the whole picture; their sum stays, the rest is 0."""
    short = min(size)
    across, down = (_overlaps(side, short) for side in size)
    grid = down @ cells @ across.T
    return tuple(tuple(float(value) for value in row) for row in grid)


def _overlaps(side: int, centre: int) -> np.ndarray:
    """[7 cells of the side, 7 cells of its centre]: the fraction of each centre cell that lies in each cell of the side."""
    start = (side - centre) / 2
    outer = np.arange(GRID + 1) * side / GRID
    inner = start + np.arange(GRID + 1) * centre / GRID
    shared = np.minimum(outer[1:, None], inner[None, 1:]) - np.maximum(outer[:-1, None], inner[None, :-1])
    return np.clip(shared, 0, None) / (centre / GRID)
