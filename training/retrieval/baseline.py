"""The baseline: both sides embedded apart by frozen towers and combined late, only where a pair is judged.

A pair's score is a two-layer network over what each side's linear layer gives; nothing is shared before that, and no
space is shaped by the pairs (issue: "separate embeddings, late combination"). Trained to tell a caption's own photograph
from another one; retrieval ranks by the same score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from training.metrics import retrieval
from training.metrics.retrieval import Ranks

HIDDEN, EPOCHS, BATCH, RATE = 256, 15, 256, 1e-3
WRONG = 3  # wrong pairs for each right one


class Late(nn.Module):
    """Pooled features of a picture (1280) and of words (768) to the logit of belonging together."""

    def __init__(self, picture: int = 1280, words: int = 768, dropout: float = 0.2) -> None:
        super().__init__()
        self.picture, self.words = nn.Linear(picture, HIDDEN), nn.Linear(words, HIDDEN)
        self.together = nn.Sequential(nn.Linear(2 * HIDDEN, HIDDEN), nn.ReLU(), nn.Dropout(dropout))
        self.answer = nn.Linear(HIDDEN, 1)

    def forward(self, picture: Tensor, words: Tensor) -> Tensor:
        """(B, 1280) and (B, 768) to (B,)."""
        both = torch.cat([relu(self.picture(picture)), relu(self.words(words))], dim=-1)
        return self.answer(self.together(both))[..., 0]

    @torch.no_grad()
    def all_pairs(self, pictures: Tensor, words: Tensor) -> np.ndarray:
        """(N, 1280) and (M, 768) to the logits of all pairs [N, M]: each side's half of the layer is computed once."""
        self.eval()
        layer = self.together[0]
        left = relu(self.picture(pictures)) @ layer.weight[:, :HIDDEN].T  # (N, H)
        right = relu(self.words(words)) @ layer.weight[:, HIDDEN:].T + layer.bias  # (M, H)
        rows = [relu(left[row] + right) @ self.answer.weight[0] + self.answer.bias for row in range(len(left))]
        return torch.stack(rows).numpy()


@dataclass(frozen=True)
class Standardised:
    """The network with the means and spreads of the features that it was trained on."""

    model: Late
    centre: tuple[np.ndarray, np.ndarray]
    spread: tuple[np.ndarray, np.ndarray]

    def all_pairs(self, pictures: np.ndarray, words: np.ndarray) -> np.ndarray:
        """(N, 1280) and (M, 768) as the towers give them to the logits of all pairs [N, M]."""
        left, right = (
            torch.from_numpy(((one - centre) / spread).astype(np.float32))
            for one, centre, spread in zip((pictures, words), self.centre, self.spread, strict=True)
        )
        return self.model.all_pairs(left, right)


def train(
    pictures: np.ndarray,
    words: np.ndarray,
    owner: np.ndarray,
    *,
    seed: int,
    epochs: int = EPOCHS,
    on_epoch: Callable[[Standardised], None] | None = None,
) -> Standardised:
    """Fits on pooled features of N pictures and M captions; `owner` [M] names the picture of each caption."""
    torch.manual_seed(seed)
    centre = (pictures.mean(0), words.mean(0))
    spread = (np.maximum(pictures.std(0), 1e-4), np.maximum(words.std(0), 1e-4))
    left = torch.from_numpy(((pictures - centre[0]) / spread[0]).astype(np.float32))
    right = torch.from_numpy(((words - centre[1]) / spread[1]).astype(np.float32))
    whose = torch.from_numpy(owner)
    model = Late(pictures.shape[1], words.shape[1])
    fitted = Standardised(model, centre, spread)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    for _ in range(epochs):
        model.train()
        for some in torch.randperm(len(whose)).split(BATCH):
            own = whose[some]
            others = (own[None] + torch.randint(1, max(2, len(left)), (WRONG, len(some)))) % len(left)
            shown = torch.cat([own, others.flatten()])
            logits = model(left[shown], right[some].repeat(1 + WRONG, 1))
            target = torch.zeros(len(shown))
            target[: len(some)] = 1.0
            loss = binary_cross_entropy_with_logits(logits, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if on_epoch is not None:
            on_epoch(fitted)
    return fitted


def fit_flickr8k(
    train_on: tuple[Tensor, Tensor, np.ndarray], checked: tuple[Tensor, Tensor, np.ndarray], *, seed: int
) -> Ranks:
    """The baseline's ranks on the rows checked; its epoch is chosen there, as the joint variant's stop is.

    Both arguments: frozen features of the photographs (N, 1712), of all captions (M, 1536), the photograph of each caption.
    """
    found: list[Ranks] = []

    def check(fitted: Standardised) -> None:
        found.append(retrieval.ranks(fitted.all_pairs(checked[0].numpy(), checked[1].numpy()), checked[2]))

    train(train_on[0].numpy(), train_on[1].numpy(), train_on[2], seed=seed, on_epoch=check)
    return max(found, key=lambda ranks: sum(retrieval.recalls(ranks).values()))
