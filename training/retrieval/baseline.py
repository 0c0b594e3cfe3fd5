"""The baseline: images and text are embedded apart by frozen towers and combined late, only when a pair is scored.

A pair's score comes from a two-layer network over a linear layer of each side; nothing is shared before that, and the pairs
shape no common space ("separate embeddings, late combination"). It is trained to tell a caption's own photograph from other
ones; retrieval ranks by the same score.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from training.engine.schedules import optimize
from training.metrics import retrieval
from training.metrics.retrieval import Ranks
from training.retrieval.data import Pairs
from training.retrieval.model import Standardizer

HIDDEN, EPOCHS, BATCH_SIZE, LR, WEIGHT_DECAY = 256, 15, 256, 1e-3, 0.05
NEGATIVES = 3  # wrong pairs for each right one


class LateFusion(nn.Module):
    """Features of an image and of a text to the logit that they belong together."""

    def __init__(self, image_width: int, text_width: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.image, self.text = (
            nn.Sequential(Standardizer(width), nn.Linear(width, HIDDEN), nn.ReLU())
            for width in (image_width, text_width)
        )
        self.hidden, self.dropout, self.head = nn.Linear(2 * HIDDEN, HIDDEN), nn.Dropout(dropout), nn.Linear(HIDDEN, 1)

    def forward(self, images: Tensor, texts: Tensor) -> Tensor:
        """(B, image width) and (B, text width) to (B,)."""
        both = torch.cat([self.image(images), self.text(texts)], dim=-1)  # (B, 512)
        return self.head(self.dropout(relu(self.hidden(both))))[..., 0]

    @torch.no_grad()
    def all_pairs(self, images: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """(N, image width) and (M, text width) to the logits of all pairs [N, M]; each side's half is computed once."""
        self.eval()
        of_images, of_texts = self.hidden.weight.split(HIDDEN, dim=1)
        left = self.image(torch.as_tensor(images, dtype=torch.float32)) @ of_images.T  # (N, H)
        right = self.text(torch.as_tensor(texts, dtype=torch.float32)) @ of_texts.T + self.hidden.bias  # (M, H)
        return torch.stack([relu(row + right) @ self.head.weight[0] + self.head.bias for row in left]).numpy()


def train(
    images: np.ndarray,
    texts: np.ndarray,
    owner: np.ndarray,
    *,
    seed: int,
    epochs: int = EPOCHS,
    on_epoch: Callable[[LateFusion], None] | None = None,
) -> LateFusion:
    """Fits on features float32 of N images and M texts; `owner` [M] names the image of each text."""
    torch.manual_seed(seed)
    model = LateFusion(images.shape[1], texts.shape[1])
    all_images, all_texts = (torch.as_tensor(side, dtype=torch.float32) for side in (images, texts))
    owners = torch.from_numpy(owner)
    standardizers = [module for module in model.modules() if isinstance(module, Standardizer)]
    for standardizer, features in zip(standardizers, (all_images, all_texts), strict=True):
        standardizer.fit(features)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=WEIGHT_DECAY)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(owners)).split(BATCH_SIZE):
            own = owners[batch]
            negatives = (own + torch.randint(1, max(2, len(images)), (NEGATIVES, len(batch)))) % len(images)
            shown = torch.cat([own[None], negatives]).flatten()  # (4 B,)
            logits = model(all_images[shown], all_texts[batch].repeat(1 + NEGATIVES, 1))
            targets = torch.zeros(len(shown))
            targets[: len(batch)] = 1.0
            optimize(binary_cross_entropy_with_logits(logits, targets), optimizer)
        if on_epoch is not None:
            on_epoch(model)
    return model


def best_ranks(pairs: Pairs, validation: Pairs, *, seed: int) -> Ranks:
    """The baseline's ranks on the validation pairs at its best epoch there, as the joint model's stop is chosen."""
    ranks: list[Ranks] = []

    def check(model: LateFusion) -> None:
        scores = model.all_pairs(validation.plain_photos.numpy(), validation.captions.means.numpy())
        ranks.append(retrieval.ranks(scores, validation.captions.owner))

    captions = pairs.captions
    train(pairs.plain_photos.numpy(), captions.means.numpy(), captions.owner, seed=seed, on_epoch=check)
    return max(ranks, key=lambda epoch: sum(retrieval.recalls(epoch).values()))
