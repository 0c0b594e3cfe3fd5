"""Lightning's trainer as every training here wants it: best and newest checkpoint, early stopping, resume, learning curves."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor

from models.errors import BadInput

Curve = list[dict[str, float]]
LOG = "metrics.csv"
FIND_UNUSED = {"ddp": "ddp_find_unused_parameters_true"}
"""Some fusions hold layers that only the contrastive loss reads, such as early fusion's pooling of each side."""


@dataclass(frozen=True)
class Monitor:
    """The validation metric that chooses the best checkpoint; `patience` checks without a better one end the training."""

    metric: str
    mode: Literal["min", "max"] = "max"
    patience: int | None = None


@dataclass(frozen=True)
class Run:
    """A trainer, its checkpoints in one folder, and the checkpoint from which it resumes, if any."""

    trainer: L.Trainer
    best: ModelCheckpoint
    resume_from: Path | None

    def fit(
        self,
        module: L.LightningModule,
        train: Iterable[Any] | None = None,
        validation: Iterable[Any] | None = None,
        *,
        datamodule: L.LightningDataModule | None = None,
    ) -> None:
        """Trains `module` in place on a training and a validation loader, or on a datamodule."""
        if self.resume_from is not None:
            _log_again(self.trainer, self.resume_from)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*does not have many workers.*")
            self.trainer.fit(module, train, validation, datamodule, self.resume_from, weights_only=False)
        self.trainer.strategy.barrier()  # until the first process has written its checkpoints and its log

    def best_state(self) -> dict[str, Tensor]:
        """The module's state at the best check, on the CPU."""
        return torch.load(self.best.best_model_path, map_location="cpu", weights_only=False)["state_dict"]


def build_trainer(folder: Path, monitor: Monitor, *, resume: bool = False, **options: Any) -> Run:
    """A trainer that writes `best.ckpt`, `last.ckpt` and `metrics.csv` into `folder` at each validation.

    `options` are those of `lightning.Trainer` (max_epochs, precision, devices, strategy, ...); it trains in bfloat16 unless
    they name a precision. With `resume` it continues from `last.ckpt`, where that exists, and keeps the curves up to there.
    Raises `BadInput` where Lightning cannot train with these `devices` and this `strategy` on this machine.
    """
    best = ModelCheckpoint(
        folder, filename="best", monitor=monitor.metric, mode=monitor.mode, enable_version_counter=False
    )
    # `save_last` would keep the last check that was a best one. After `best`, so that its state knows of this check's.
    newest = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    callbacks: list[Callback] = [best, newest]
    if monitor.patience is not None:
        callbacks.append(EarlyStopping(monitor.metric, mode=monitor.mode, patience=monitor.patience))
    devices, strategy = options.pop("devices", "auto"), options.pop("strategy", "auto")
    options = {"precision": "bf16-mixed", "num_sanity_val_steps": 0, "enable_model_summary": False, **options}

    def build(strategy: str) -> L.Trainer:  # the trainer adds to the list of callbacks
        logger = CSVLogger(folder, name="", version="")
        return L.Trainer(devices=devices, strategy=strategy, callbacks=list(callbacks), logger=logger, **options)

    try:
        trainer = build(FIND_UNUSED.get(strategy, strategy))
        if strategy == "auto" and trainer.num_devices > 1:  # Lightning's own choice there is plain ddp
            trainer = build(FIND_UNUSED["ddp"])
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise BadInput(
            f"Lightning cannot train with --devices {devices} and --strategy {strategy} on this machine: "
            f"{' '.join(str(error).split())}"
        ) from error
    last = folder / "last.ckpt"
    return Run(trainer, best, last if resume and last.is_file() else None)


@rank_zero_only
def _log_again(trainer: L.Trainer, last: Path) -> None:
    """Logs once more what was logged up to the checkpoint, since the logger begins by deleting its file."""
    log, logger = last.with_name(LOG), trainer.logger
    if log.is_file() and logger is not None:
        step = torch.load(last, map_location="cpu", mmap=True, weights_only=False)["global_step"]
        rows = read_log(log)
        for _, row in rows[rows.step < step].iterrows():
            logger.log_metrics({**row.dropna().to_dict(), "epoch": int(row.epoch)}, step=int(row.step))
        logger.save()


def curve_by_epoch(path: Path) -> Curve:
    """One dict an epoch: the log has training and validation metrics of an epoch in separate rows."""
    log = read_log(path).drop(columns="step")
    return [epoch.dropna().to_dict() for _, epoch in log.groupby("epoch", as_index=False).last().iterrows()]


def curve_by_check(path: Path, monitor: str) -> Curve:
    """One dict a validation, for runs that validate several times an epoch.

    It holds the number of steps, the validation metrics, of which `monitor` is one, and the mean of each training loss
    since the validation before.
    """
    log = read_log(path).drop(columns="epoch")
    checks = log[monitor].notna()
    losses = log[~checks].groupby(checks.cumsum()).mean()  # by the number of the validation that follows
    curve = log[checks].reset_index(drop=True).combine_first(losses)[: checks.sum()]
    return [{**row.dropna().round(4).to_dict(), "step": row["step"] + 1} for _, row in curve.iterrows()]


def join_curves(rounds: Sequence[Curve]) -> Curve:
    """Rounds of training that continue one another as one curve, with their steps counted through."""
    curve: Curve = []
    for points in rounds:
        offset = curve[-1]["step"] if curve else 0.0
        curve += [{**point, "step": point["step"] + offset} for point in points]
    return curve


def read_log(path: Path) -> pd.DataFrame:
    """The log with its columns `epoch` and `step`; NaN where a row lacks a metric."""
    return pd.read_csv(path, float_precision="round_trip")
