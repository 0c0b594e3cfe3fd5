"""The baseline: both sides embedded apart by frozen towers and combined late, only where a pair is judged.

A pair's score is a two-layer network over what each side's linear layer gives; nothing is shared before that, and no
space is shaped by the pairs (issue: "separate embeddings, late combination"). Trained to tell a caption's own photograph
from another one; retrieval ranks by the same score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, relu

from models.encoders.mini import MiniEncoder
from training import features, retrieval_metrics
from training.datasets.rows import Row
from training.retrieval_metrics import Ranks

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


def pooled(rows: Sequence[Row], cache: Path) -> tuple[Tensor, Tensor, np.ndarray]:
    """Mean patch (N, 1280), mean word of every caption (M, 768), and the photograph of each caption [M]."""
    encoder = MiniEncoder()
    patches = features.pictures([row.image or b"" for row in rows], encoder, cache).tokens
    texts = [caption for row in rows for caption in row.details["captions"]]
    told = features.texts(texts, encoder, cache)
    owner = np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])
    images = np.stack([patch.astype(np.float32).mean(0) for patch in patches])
    words = np.add.reduceat(told.tokens.astype(np.float32), told.starts[:-1]) / np.diff(told.starts)[:, None]
    return torch.from_numpy(images), torch.from_numpy(words.astype(np.float32)), owner


def fit_flickr8k(train: Sequence[Row], validation: Sequence[Row], out: Path, *, seed: int) -> Ranks:
    """The baseline's ranks on the validation rows; its epoch is chosen there, as the joint variant's is."""
    torch.manual_seed(seed)
    seen, checked = (pooled(rows, out / "cache") for rows in (train, validation))
    centre, spread = [], []
    for side in (0, 1):
        centre.append(seen[side].mean(0))
        spread.append(seen[side].std(0).clamp(min=1e-4))
    pictures, words = ((seen[side] - centre[side]) / spread[side] for side in (0, 1))
    held = [(checked[side] - centre[side]) / spread[side] for side in (0, 1)]
    model = Late()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    owner = torch.from_numpy(seen[2])
    best: Ranks | None = None
    for _ in range(EPOCHS):
        model.train()
        for some in torch.randperm(len(owner)).split(BATCH):
            own = owner[some]
            others = (own[None] + torch.randint(1, max(2, len(pictures)), (WRONG, len(some)))) % len(pictures)
            shown = torch.cat([own, others.flatten()])
            logits = model(pictures[shown], words[some].repeat(1 + WRONG, 1))
            target = torch.zeros(len(shown))
            target[: len(some)] = 1.0
            loss = binary_cross_entropy_with_logits(logits, target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        found = retrieval_metrics.ranks(model.all_pairs(held[0], held[1]), checked[2])
        if best is None or sum(retrieval_metrics.recalls(found).values()) > sum(retrieval_metrics.recalls(best).values()):
            best = found
            torch.save(model.state_dict(), out / "baseline.pt")
    if best is None:
        raise ValueError(f"EPOCHS={EPOCHS} train nothing")
    return best
