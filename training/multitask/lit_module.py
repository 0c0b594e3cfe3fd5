"""One fold of a multitask model on Lightning: named losses, validation metrics by task, prediction."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from models.classifiers.heads import Head
from training.calibration.decision_rules import by_head
from training.engine import losses
from training.engine.schedules import linear_with_warmup, step_every_batch
from training.engine.trainer import LOG, Monitor, build_trainer, curve_by_epoch
from training.multitask.config import MultitaskConfig
from training.multitask.data import MultitaskDataModule, Prepared
from training.multitask.model import MultitaskNetwork, named_losses

LOG_EVERY_N_STEPS = 10
PREDICT_BATCH_SIZE = 64
MONITORS = {"loss": Monitor("validation_loss", "min"), "macro_f1": Monitor("macro_f1", "max")}


class LitMultitask(L.LightningModule):
    """Trains a network; `class_weights` are by task, a tensor for each target of its head."""

    def __init__(
        self,
        network: MultitaskNetwork,
        config: MultitaskConfig,
        heads: Sequence[Head],
        class_weights: dict[str, list[Tensor]],
    ) -> None:
        super().__init__()
        self.network, self.config, self.tasks, self.class_weights = network, config, tuple(heads), class_weights
        self._validated: list[tuple[Tensor, Tensor]] = []

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        """The weighted sum of the losses."""
        schedule = self.config.schedule
        by_name = named_losses(self.network, batch, self.tasks, self.class_weights, schedule)
        weights = {"align": schedule.align_weight, "balance": schedule.balance_weight, **self.config.loss_weights}
        total = torch.stack([weights.get(name, 1.0) * loss for name, loss in by_name.items()]).sum()
        logged = {f"loss_{name}": loss.detach() for name, loss in by_name.items()} if len(by_name) > 1 else {}
        size = len(batch["target"])
        self.log_dict({"loss": total.detach(), **logged}, on_step=False, on_epoch=True, batch_size=size, sync_dist=True)
        return total

    def validation_step(self, batch: dict[str, Tensor], _: int) -> None:
        """Keeps logits and targets for the end of the epoch."""
        logits = self.network(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"])
        self._validated.append((logits, batch["target"]))

    def on_validation_epoch_end(self) -> None:
        """Logs loss, macro-F1 and accuracy of each task, and their means over the tasks."""
        batches = [torch.cat(tensors) for tensors in zip(*self._validated, strict=True)]
        self._validated.clear()
        # Every process measures all rows, so that all stop alike; a few rows count twice where they do not share out evenly.
        logits, targets = (tensor.reshape(-1, tensor.shape[-1]) for tensor in self.all_gather(batches))
        metrics: dict[str, float] = {}
        for head, head_logits, target in by_head(self.tasks, logits, targets):
            loss = losses.loss(head, head_logits, target, self.class_weights[head.name])
            by_name = {"validation_loss": float(loss), **_metrics(head, head_logits, target)}
            metrics |= {f"{name}_{head.name}": value for name, value in by_name.items()}
        for name in ("validation_loss", "macro_f1", "accuracy"):
            metrics[name] = float(np.mean([metrics[f"{name}_{head.name}"] for head in self.tasks]))
        self.log_dict(metrics, sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam or AdamW, with a learning rate of its own for the encoders."""
        schedule = self.config.schedule
        trained = {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}
        in_encoders = [trained.pop(name) for name in list(trained) if name.startswith(("image.", "text."))]
        groups: list[dict[str, Any]] = [{"params": [*trained.values()], "lr": schedule.lr}]
        if in_encoders:
            groups.append({"params": in_encoders, "lr": schedule.encoder_lr})
        if schedule.optimizer == "adam":
            optimizer: torch.optim.Optimizer = torch.optim.Adam(groups)
        else:
            optimizer = torch.optim.AdamW(groups, weight_decay=schedule.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)  # of one process: several share an epoch's batches
        warmup = max(1, round(schedule.warmup_fraction * steps)) if schedule.warmup_fraction else 0
        floor = 0.0 if schedule.lr_decay else 1.0
        return step_every_batch(linear_with_warmup(optimizer, warmup=warmup, steps=steps, floor=floor))


def _metrics(head: Head, logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Macro-F1 and accuracy of the likeliest classes, a mean over the head's targets."""
    by_name: dict[str, list[float]] = {"macro_f1": [], "accuracy": []}
    for column, probs in enumerate(head.uncalibrated_probs(logits.float().cpu().numpy())):
        known = (targets[:, column] != losses.UNKNOWN).cpu()
        if not known.any():
            continue
        y_pred, y_true = torch.from_numpy(probs.argmax(1))[known], targets[:, column].cpu()[known]
        classes = len(head.targets[column].classes)
        by_name["macro_f1"].append(float(multiclass_f1_score(y_pred, y_true, num_classes=classes, average="macro")))
        by_name["accuracy"].append(float(multiclass_accuracy(y_pred, y_true, num_classes=classes, average="micro")))
    return {name: float(np.mean(values)) if values else 0.0 for name, values in by_name.items()}


def train_fold(
    module: LitMultitask, datamodule: MultitaskDataModule, folder: Path, *, resume: bool = False, **options: Any
) -> list[dict[str, float]]:
    """Trains the module's network in place and returns its curves, one dict an epoch.

    `options` are the trainer's `devices` and `strategy`. Over several devices Lightning starts the program once more for
    each; this returns in all of them, with the same best weights and curves.
    """
    schedule = module.config.schedule
    monitor = MONITORS[schedule.monitor]
    if schedule.keep_best:
        monitor = Monitor(monitor.metric, monitor.mode, schedule.patience)
    run = build_trainer(
        folder, monitor, resume=resume, max_epochs=schedule.epochs, log_every_n_steps=LOG_EVERY_N_STEPS, **options
    )
    module.network.train()  # a pretrained encoder comes in its evaluating state
    run.fit(module, datamodule=datamodule)
    if schedule.keep_best:
        module.load_state_dict(run.best_state())
    module.network.cpu().eval()
    return curve_by_epoch(folder / LOG)


@torch.inference_mode()
def predict(network: nn.Module, data: Prepared, rows: np.ndarray) -> np.ndarray:
    """Logits float32 [rows, all heads], in full precision as in the app: bfloat16 makes ties of near scores."""
    network.eval()
    logits = []
    for start in range(0, len(rows), PREDICT_BATCH_SIZE):
        batch = data.batch(rows[start : start + PREDICT_BATCH_SIZE])
        logits.append(network(batch["image"], batch["image_mask"], batch["text"], batch["text_mask"]).numpy())
    return np.concatenate(logits)
