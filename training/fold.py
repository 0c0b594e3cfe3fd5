"""One fold of a system on Lightning: named losses, early stopping on the rows it does not see, curves, resume."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from models.heads import Head, columns
from training import heads as losses
from training.curves import by_epoch
from training.network import Network, parts
from training.rows_of_systems import Prepared, loader
from training.system_recipe import SystemRecipe

STEPS_SHOWN = 10


class Fold(L.LightningModule):
    """`weights` are the class weights by task."""

    def __init__(
        self,
        network: Network,
        recipe: SystemRecipe,
        heads: Sequence[Head],
        weights: dict[str, list[Tensor]],
        steps: int,
    ) -> None:
        super().__init__()
        self.network, self.recipe, self.tasks, self.steps = network, recipe, tuple(heads), steps
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
        logits, targets = (torch.cat(part) for part in zip(*self._checked, strict=True))
        self._checked.clear()
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
        warmup = max(1, round(schedule.warmup * self.steps))

        def rate(step: int) -> float:
            down = max(0.0, (self.steps - step) / max(1, self.steps - warmup)) if schedule.decay else 1.0
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
    """Trains the network in place on the rows `seen`, and returns its curves, a dict an epoch."""
    schedule = recipe.schedule
    batches = loader(data, seen, schedule.batch, drop_side=schedule.drop_side, shuffle=True)
    held_out = loader(data, unseen, 4 * schedule.batch, shuffle=False)
    at, weights = 0, {}
    for head in heads:
        weights[head.name] = losses.class_weights(
            data.target[seen][:, at : at + len(head.questions)], head, schedule.class_weights
        )
        at += len(head.questions)
    network.train()  # a pretrained tower comes in the state in which it answers
    steps = -(-len(seen) // schedule.batch) * schedule.epochs
    module = Fold(network, recipe, heads, weights, steps)
    watched, mode = ("validation_loss", "min") if schedule.stop_on == "loss" else ("macro_f1", "max")
    keep = ModelCheckpoint(
        folder, filename="best", monitor=watched, mode=mode, save_last=True, enable_version_counter=False
    )
    callbacks: list[Any] = [keep]
    if schedule.keep_best:
        callbacks.append(EarlyStopping(watched, mode=mode, patience=schedule.patience))
    trainer = L.Trainer(
        max_epochs=schedule.epochs,
        precision="bf16-mixed",
        accelerator="auto",
        devices=devices if devices == "auto" else int(devices),
        strategy=strategy,
        callbacks=callbacks,
        logger=CSVLogger(folder, name="", version=""),
        num_sanity_val_steps=0,
        log_every_n_steps=STEPS_SHOWN,
        enable_model_summary=False,
    )
    last = folder / "last.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        trainer.fit(
            module, batches, held_out, ckpt_path=str(last) if resume and last.exists() else None, weights_only=False
        )
    if schedule.keep_best:
        state = torch.load(keep.best_model_path, weights_only=False)["state_dict"]
        module.load_state_dict(state)
    network.cpu().eval()
    return by_epoch(folder / "metrics.csv")


@torch.inference_mode()
def predict(network: nn.Module, data: Prepared, rows: np.ndarray, *, batch: int = 64) -> np.ndarray:
    """Logits float32 [rows, all of the heads], in full precision as in the app: bfloat16 makes ties of near scores."""
    network.eval()
    found = []
    for start in range(0, len(rows), batch):
        here = data.batch(rows[start : start + batch])
        found.append(network(here["image"], here["image_mask"], here["text"], here["text_mask"]).numpy())
    return np.concatenate(found)
