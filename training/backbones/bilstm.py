"""`bilstm`: words of the training rows with embeddings that are learned, read by an LSTM in both directions.

(Hochreiter and Schmidhuber 1997; Graves and Schmidhuber 2005.) The vocabulary is taken from the training rows alone, so
that other words are unknown, as they will be in use.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from models.tokenizers.words import UNKNOWN, WordList, split_words
from training.backbones.base import Backbone, BackboneSpec, IdStore, Modality

DEFAULTS = {"words": 6000, "size": 96, "hidden": 96, "dropout": 0.3}
WORD_DROPOUT = 0.05  # fraction of known words that are read as unknown, so that this embedding is learned too


class BiLSTM(Backbone):
    """`options`: `words` in the vocabulary, the embedding's `size`, `hidden` units a direction, `dropout`."""

    input_kind, pretrained = "words", False

    def __init__(self, modality: Modality, spec: BackboneSpec, cache: Path) -> None:
        super().__init__(modality, spec, cache)
        options = DEFAULTS | dict(spec.options)
        self.max_words, size, hidden = (int(options[name]) for name in ("words", "size", "hidden"))
        self.width = 2 * hidden
        self.module = LSTMReader(self.max_words + 2, size, hidden, dropout=options["dropout"])
        self.card = {"frozen": False, "longest": spec.max_length, **options}

    def learn_words(self, texts: Sequence[str | None]) -> None:
        """Takes the commonest words that these texts have at least twice."""
        counts = Counter(word for text in texts if text for word in split_words(text))
        self.words = [word for word, count in counts.most_common(self.max_words) if count > 1]

    def store(self, items: Sequence[str]) -> IdStore:
        """Word ids by the learned vocabulary."""
        word_list = WordList(self.words or (), self.spec.max_length)
        return IdStore([word_list.ids(text) for text in items])


class LSTMReader(nn.Module):
    """Word ids to tokens: the states of an LSTM in both directions."""

    def __init__(self, words: int, size: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.forward_lstm = nn.LSTM(size, hidden, batch_first=True)
        self.backward_lstm = nn.LSTM(size, hidden, batch_first=True)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Word ids (B, W) and their mask to tokens (B, W, 2 hidden) and the mask."""
        if self.training:
            dropped = (torch.rand_like(mask, dtype=torch.float32) < WORD_DROPOUT) & mask
            ids = ids.masked_fill(dropped, UNKNOWN)
        words = self.dropout(self.embedding(ids))  # (B, W, size)
        forward, _ = self.forward_lstm(words)  # (B, W, hidden)
        positions = torch.arange(mask.shape[1], device=mask.device)[None]  # (1, W)
        length = mask.sum(1, keepdim=True)  # (B, 1)
        # (B, W): reads each row's real words backwards; padding stays behind.
        order = torch.where(positions < length, length - 1 - positions, positions)
        backward, _ = self.backward_lstm(_reorder(words, order))
        return torch.cat([forward, _reorder(backward, order)], dim=-1), mask


def _reorder(tokens: Tensor, order: Tensor) -> Tensor:
    return tokens.gather(1, order[..., None].expand(-1, -1, tokens.shape[-1]))
