"""Finetuning multilingual-e5-small or MiniLM-L6 on sentences: length buckets, mean pooling, one linear head.

Shared by `mini_words` and `text_emotions`. The embeddings of pieces stay frozen: all towers then share one table, which
halves what is shipped and held in memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, IterableDataset

from models import weights
from models.fusion.base import masked_mean
from models.tokenizers.base import length_batches
from models.tokenizers.wordpieces import Vocabulary
from training.backbones import e5, minilm
from training.backbones.e5 import WIDTH
from training.config import Config
from training.engine.schedules import linear_with_warmup, step_every_batch
from training.engine.trainer import Monitor, build_trainer

MONITOR = "average_precision"
VOCABULARIES = {
    "e5": "mini_vocabulary",
    "minilm": "minilm_vocabulary",
}  # in weights/, by the tower that reads its pieces


@dataclass(frozen=True)
class SentenceSchedule(Config):
    """How a tower is trained with AdamW: both rates go up in `warmup` steps and then in a straight line down to 0."""

    tower: Literal["e5", "minilm"] = "e5"  # what the training starts from
    epochs: int = 2
    batch_size: int = 32
    lr: float = 8e-5
    head_lr: float = 8e-5  # the head is new and small: it may learn faster than the tower
    warmup: int = 100  # steps
    max_length: int = 64  # word pieces; longer sentences are cut in training only
    seed: int = 7
    checks_per_epoch: int = 4

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.lr < 1:
            raise ValueError(f"epochs={self.epochs}, batch_size={self.batch_size}, lr={self.lr} do not make a schedule")


@dataclass(frozen=True)
class Sentences:
    """Texts and targets [rows, outputs], NaN where unknown.

    offsets: [rows, outputs], added to the logits in training. loss_weights: how much each output counts; all the same if
    there are none.
    """

    texts: Sequence[str]
    targets: np.ndarray
    offsets: np.ndarray | None = None
    loss_weights: Sequence[float] | None = None


Batch = tuple[Tensor, Tensor, Tensor, Tensor]  # embedded (B, W, 384), mask (B, W), targets and offsets (B, outputs)


class LengthBuckets(IterableDataset):
    """Batches of sentences of similar length, in a new order each epoch."""

    def __init__(self, data: Sentences, schedule: SentenceSchedule, *, shuffle: bool) -> None:
        card = weights.card(VOCABULARIES[schedule.tower])
        self.vocabulary = Vocabulary(card, max_length=schedule.max_length)
        self.ids = self.vocabulary.ids(data.texts)
        self.targets = torch.as_tensor(data.targets, dtype=torch.float32)
        offsets = np.zeros(data.targets.shape) if data.offsets is None else data.offsets
        self.offsets = torch.as_tensor(offsets, dtype=torch.float32)
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.schedule, self.shuffle, self.epoch, self.skipped = schedule, shuffle, 0, 0

    def __len__(self) -> int:
        return math.ceil(len(self.ids) / self.schedule.batch_size)

    def start_at(self, step: int) -> None:
        """Goes on behind the batches that a run which is resumed has seen."""
        self.epoch, self.skipped = divmod(step, len(self))

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self.schedule.seed, self.epoch))
        jitter = rng.uniform(0, 2, len(self.ids)) if self.shuffle else 0
        batches = list(length_batches(self.lengths + jitter, self.schedule.batch_size))
        if self.shuffle:
            rng.shuffle(batches)  # type: ignore[arg-type]  # numpy's stub takes no list of arrays
            self.epoch += 1
        batches, self.skipped = batches[self.skipped :], 0
        for rows in batches:
            embedded, mask = self.vocabulary.embed([self.ids[row] for row in rows])
            index = torch.from_numpy(rows)
            yield torch.from_numpy(embedded), torch.from_numpy(mask), self.targets[index], self.offsets[index]


class SentenceTower(L.LightningModule):
    """The tower, mean pooling, one linear layer to `outputs` logits, whose bias begins at `bias`.

    `loss_weights` say how much each output counts, beside the first one; all count the same without them.
    """

    def __init__(
        self, outputs: int, schedule: SentenceSchedule, steps: int, bias: Tensor | None = None,
        loss_weights: Sequence[float] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.tower = (e5.tower() if schedule.tower == "e5" else minilm.tower()).train()
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(WIDTH, outputs)
        nn.init.zeros_(self.head.weight)
        if bias is not None:
            self.head.bias.data.copy_(bias)
        weights = torch.tensor(loss_weights or [1 / outputs] * outputs)
        self.register_buffer("loss_weights", weights, persistent=False)
        self.schedule, self.steps = schedule, steps
        self._validated: list[tuple[Tensor, Tensor]] = []  # logits and targets of the validation under way

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """Embedded pieces (B, W, 384) and mask (B, W) to logits (B, outputs)."""
        tokens = self.tower(inputs_embeds=embedded, attention_mask=mask).last_hidden_state  # (B, W, 384)
        return self.head(self.dropout(masked_mean(tokens, mask))).float()  # (B, outputs)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy over what is known: a mean over the rows, a weighted sum over the outputs."""
        known = ~targets.isnan()
        losses = binary_cross_entropy_with_logits(logits, targets.nan_to_num(), reduction="none") * known
        return (losses.sum(0) / len(targets) @ self.get_buffer("loss_weights")).sum()

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The loss with the rows' offsets."""
        embedded, mask, targets, offsets = batch
        loss = self.loss(self(embedded, mask) + offsets, targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """The loss; logits are collected for the end of the validation."""
        embedded, mask, targets, _offsets = batch
        logits = self(embedded, mask)
        self._validated.append((logits, targets))
        self.log("validation_loss", self.loss(logits, targets), batch_size=len(embedded))

    def on_validation_epoch_end(self) -> None:
        """Mean average precision over the outputs: the ranking goes on improving after the loss has stopped to."""
        logits, targets = (torch.cat(tensors).float().cpu().numpy() for tensors in zip(*self._validated, strict=True))
        self._validated.clear()
        scores = [
            average_precision_score(y_true[known], scored[known])
            for y_true, scored in zip(targets.T, logits.T, strict=True)
            if (y_true[known := ~np.isnan(y_true)] == 1).any()
        ]
        self.log(MONITOR, float(np.mean(scores)), prog_bar=True)
        if len(scores) > 1:
            self.log("first_average_precision", float(scores[0]))

    def configure_optimizers(self) -> Any:
        """AdamW with a rate of its own for the head."""
        tower: dict[str, Any] = {"params": [p for p in self.tower.parameters() if p.requires_grad]}
        groups = [tower, {"params": self.head.parameters(), "lr": self.schedule.head_lr}]
        optimizer = torch.optim.AdamW(groups, lr=self.schedule.lr, weight_decay=0.01, fused=True)
        return step_every_batch(linear_with_warmup(optimizer, warmup=self.schedule.warmup, steps=self.steps))


def fit(
    train: Sentences,
    validation: Sentences,
    *,
    schedule: SentenceSchedule,
    folder: Path,
    resume: bool,
    bias: Tensor | None = None,
    start: SentenceTower | None = None,
) -> SentenceTower:
    """Trains a tower; returns the one with the best mean average precision.

    Checkpoints and curves go to `folder`. `bias` is the head's to begin with; `start` is a tower from which to continue.
    """
    L.seed_everything(schedule.seed, verbose=False)
    train_batches = LengthBuckets(train, schedule, shuffle=True)
    validation_batches = LengthBuckets(validation, schedule, shuffle=False)
    steps = len(train_batches) * schedule.epochs
    module = SentenceTower(train.targets.shape[1], schedule, steps=steps, bias=bias, loss_weights=train.loss_weights)
    if start is not None:
        module.load_state_dict(start.state_dict())
    monitor = Monitor(MONITOR, patience=2 * schedule.checks_per_epoch)
    options = {"max_epochs": schedule.epochs, "devices": 1, "val_check_interval": 1 / schedule.checks_per_epoch}
    run = build_trainer(folder, monitor, resume=resume, **options)
    if run.resume_from is not None:
        train_batches.start_at(torch.load(run.resume_from, mmap=True, weights_only=False)["global_step"])
    run.fit(module, DataLoader(train_batches, batch_size=None), DataLoader(validation_batches, batch_size=None))
    module.load_state_dict(run.best_state())
    return module.eval()


@torch.inference_mode()
def predict(module: SentenceTower, texts: Sequence[str], schedule: SentenceSchedule) -> np.ndarray:
    """Logits [rows, outputs] in float32, in the order of `texts`."""
    buckets = LengthBuckets(Sentences(texts, np.zeros((len(texts), 1))), schedule, shuffle=False)
    order = np.argsort(buckets.lengths, kind="stable")
    logits = np.concatenate([module(embedded, mask).numpy() for embedded, mask, *_ in buckets])
    return logits[np.argsort(order)]
