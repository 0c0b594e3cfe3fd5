"""One fold of a system on Lightning: named losses, early stopping on the rows it does not see, curves, resume."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from models.classifiers.heads import Head, columns
from models.errors import BadInput
from training.engine import losses
from training.engine.curves import by_epoch, until
from training.multitask.config import SystemRecipe
from training.multitask.datamodule import Batches, Prepared
from training.multitask.model import Network, parts

STEPS_SHOWN = 10
UNUSED = {"ddp": "ddp_find_unused_parameters_true"}
"""Some fusions hold layers that only the contrastive loss reads, such as early fusion's pooling of each side."""


class Fold(L.LightningModule):
    """`weights` are the class weights by task."""

    def __init__(
        self, network: Network, recipe: SystemRecipe, heads: Sequence[Head], weights: dict[str, list[Tensor]]
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.tasks = network, recipe, tuple(heads)
        self.class_weights = weights
        self._checked: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        found = parts(self.network, batch, self.tasks, self.class_weights, self.recipe.schedule)
        schedule = self.recipe.schedule
        weighed = {"align": schedule.align, "balance": schedule.balance, **self.recipe.weights}
        total = torch.stack([weighed.get(name, 1.0) * loss for name, loss in found.items()]).sum()
        named = {f"loss_{name}": loss.detach() for name, loss in found.items()} if len(found) > 1 else {}
        size = len(batch["target"])
        self.log_dict({"loss": total.detach(), **named}, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return total

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        logits = self.network(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"])
        self._checked.append((logits, batch["target"]))

    def on_validation_epoch_end(self) -> None:
        parts_of = [torch.cat(part) for part in zip(*self._checked, strict=True)]
        self._checked.clear()
        # Every process measures all rows, so that all stop alike; a few rows count twice where they do not share out evenly.
        logits, targets = (whole.reshape(-1, whole.shape[-1]) for whole in self.all_gather(parts_of))
        at, figures = 0, {}
        for head, where in zip(self.tasks, columns(self.tasks), strict=True):
            target = targets[:, at : at + len(head.questions)]
            at += len(head.questions)
            loss = losses.loss(head, logits[:, where], target, self.class_weights[head.name])
            figures[f"validation_loss_{head.name}"] = float(loss)
            for name, value in _figures(head, logits[:, where], target).items():
                figures[f"{name}_{head.name}"] = value
        for name in ("validation_loss", "macro_f1", "accuracy"):
            figures[name] = float(np.mean([figures[f"{name}_{head.name}"] for head in self.tasks]))
        self.log_dict(figures, sync_dist=True)

    def configure_optimizers(self) -> Any:
        schedule = self.recipe.schedule
        towers = [side for side in (self.network.image, self.network.text) if side is not None]
        in_towers = [p for tower in towers for p in tower.parameters() if p.requires_grad]
        known = {id(p) for p in in_towers}
        rest = [p for p in self.network.parameters() if p.requires_grad and id(p) not in known]
        groups: list[dict[str, Any]] = [{"params": rest, "lr": schedule.rate}]
        if in_towers:
            groups.append({"params": in_towers, "lr": schedule.encoder_rate})
        kind = torch.optim.Adam if schedule.optimizer == "adam" else torch.optim.AdamW
        settings = {} if schedule.optimizer == "adam" else {"weight_decay": schedule.weight_decay}
        optimizer = kind(groups, **settings)
        steps = int(self.trainer.estimated_stepping_batches)  # of one process: several share an epoch's batches
        warmup = max(1, round(schedule.warmup * steps))

        def rate(step: int) -> float:
            down = max(0.0, (steps - step) / max(1, steps - warmup)) if schedule.decay else 1.0
            return min((step + 1) / warmup, down) if schedule.warmup else down

        turned = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": turned, "interval": "step"}}


def _figures(head: Head, logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Macro-F1 and accuracy at the plain decision, a mean over the questions."""
    found: dict[str, list[float]] = {"macro_f1": [], "accuracy": []}
    for number, chances in enumerate(head.raw(logits.float().cpu().numpy())):
        known = (targets[:, number] != losses.UNKNOWN).cpu()
        if not known.any():
            continue
        given, truth = torch.from_numpy(chances.argmax(1))[known], targets[:, number].cpu()[known]
        classes = len(head.questions[number].classes)
        found["macro_f1"].append(float(multiclass_f1_score(given, truth, num_classes=classes, average="macro")))
        found["accuracy"].append(float(multiclass_accuracy(given, truth, num_classes=classes, average="micro")))
    return {name: float(np.mean(values)) if values else 0.0 for name, values in found.items()}


def train(
    network: Network,
    recipe: SystemRecipe,
    heads: Sequence[Head],
    data: Prepared,
    seen: np.ndarray,
    unseen: np.ndarray,
    folder: Path,
    *,
    resume: bool,
    devices: str = "auto",
    strategy: str = "auto",
) -> list[dict[str, float]]:
    """Trains the network in place on the rows `seen`, and returns its curves, a dict an epoch.

    Over several devices Lightning starts the program once more for each; this returns in all of them, with the same best
    weights and curves. `BadInput` where Lightning cannot train with these `devices` and this `strategy`.
    """
    schedule = recipe.schedule
    at, weights = 0, {}
    for head in heads:
        weights[head.name] = losses.class_weights(
            data.target[seen][:, at : at + len(head.questions)], head, schedule.class_weights
        )
        at += len(head.questions)
    network.train()  # a pretrained tower comes in the state in which it answers
    module = Fold(network, recipe, heads, weights)
    watched, mode = ("validation_loss", "min") if schedule.stop_on == "loss" else ("macro_f1", "max")
    best = ModelCheckpoint(folder, filename="best", monitor=watched, mode=mode, enable_version_counter=False)
    # `save_last` would keep the last epoch that was a best one. After `best`, so that it knows of this epoch's.
    newest = ModelCheckpoint(folder, filename="last", enable_version_counter=False)
    callbacks: list[Callback] = [best, newest]
    if schedule.keep_best:
        callbacks.append(EarlyStopping(watched, mode=mode, patience=schedule.patience))
    logger = CSVLogger(folder, name="", version="")
    trainer = _trainer(
        devices,
        strategy,
        callbacks,
        max_epochs=schedule.epochs,
        precision="bf16-mixed",
        accelerator="auto",
        logger=logger,
        num_sanity_val_steps=0,
        log_every_n_steps=STEPS_SHOWN,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    going_on = resume and last.exists()
    if going_on:
        _log_again(logger, last)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        trainer.fit(
            module,
            datamodule=Batches(data, seen, unseen, schedule),
            ckpt_path=str(last) if going_on else None,
            weights_only=False,
        )
    trainer.strategy.barrier()  # until the first process has written its checkpoints and its log
    if schedule.keep_best:
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=False)["state_dict"]
        module.load_state_dict(state)
    network.cpu().eval()
    return by_epoch(folder / "metrics.csv")


def _trainer(devices: str, strategy: str, callbacks: Sequence[Callback], **settings: Any) -> L.Trainer:
    def made(kind: str) -> L.Trainer:  # a list of its own, since it adds to it
        return L.Trainer(devices=devices, strategy=kind, callbacks=list(callbacks), **settings)

    try:
        found = made(UNUSED.get(strategy, strategy))
        if strategy == "auto" and found.num_devices > 1:  # Lightning's own choice there is plain ddp
            found = made(UNUSED["ddp"])
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise BadInput(
            f"Lightning cannot train with --devices {devices} and --strategy {strategy} on this machine: "
            f"{' '.join(str(error).split())}"
        ) from error
    return found


@rank_zero_only
def _log_again(logger: CSVLogger, last: Path) -> None:
    """What was logged up to the checkpoint, since the logger begins with deleting its file."""
    file = last.with_name("metrics.csv")
    if file.is_file():
        step = torch.load(last, map_location="cpu", mmap=True, weights_only=False)["global_step"]
        for row in until(file, step):
            logger.log_metrics(dict(row), step=int(row["step"]))
        logger.save()


@torch.inference_mode()
def predict(network: nn.Module, data: Prepared, rows: np.ndarray, *, batch: int = 64) -> np.ndarray:
    """Logits float32 [rows, all of the heads], in full precision as in the app: bfloat16 makes ties of near scores."""
    network.eval()
    found = []
    for start in range(0, len(rows), batch):
        here = data.batch(rows[start : start + batch])
        found.append(network(here["image"], here["image_mask"], here["text"], here["text_mask"]).numpy())
    return np.concatenate(found)
