"""One co-attention network on Lightning, for both profiles: a loss by source, an averaged copy that is validated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.calibration.thresholds import Source
from training.engine.schedules import linear_with_warmup, moving_average, step_every_batch
from training.engine.trainer import Monitor, build_trainer
from training.hate.config import TrainingConfig
from training.hate.data import Data, Inputs, Rows, head_of

Batch = dict[str, tuple[Inputs, Tensor, int]]  # by source: inputs, labels (B,), and the column of the logits
LR_FLOOR = 0.02


class HateModule(L.LightningModule):
    """Trains the network on batches by source; its moving average is validated on `validation`, rows by source."""

    def __init__(
        self, settings: CrossAttentionSettings, config: TrainingConfig, data: Data, validation: Mapping[str, Rows]
    ) -> None:
        super().__init__()
        self.net = CrossAttention(settings)
        self.mean = moving_average(self.net, config.ema_decay, warmup=config.ema_warmup)
        self.config, self.data, self.validation = config, data, validation

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """The weighted sum of the sources' losses."""
        losses = {
            source: binary_cross_entropy_with_logits(self.net(*inputs)[0][:, column].float(), labels)
            for source, (inputs, labels, column) in batch.items()
        }
        total = torch.stack([self.config.weights.get(source, 1.0) * loss for source, loss in losses.items()]).sum()
        named = {f"loss_{source}": loss for source, loss in losses.items()} if len(losses) > 1 else {}
        self.log_dict({"loss": total, **named}, batch_size=1)
        return total

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Also moves the average."""
        super().optimizer_step(*args, **kwargs)
        self.mean.update_parameters(self.net)

    def validation_step(self, _: object, __: int) -> None:
        """AUROC of the average by source, and their mean `auroc`, which chooses the checkpoint."""
        sources = predict_sources(self.mean.module, self.data, self.validation)
        aurocs = {f"auroc_{name}": float(roc_auc_score(labels, logits)) for name, (logits, labels) in sources.items()}
        named = aurocs if len(aurocs) > 1 else {}
        self.log_dict({**named, "auroc": float(np.mean(list(aurocs.values())))}, prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        """AdamW, up and then down in straight lines."""
        optimizer = torch.optim.AdamW(self.net.parameters(), lr=self.config.lr, weight_decay=self.config.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        warmup = round(self.config.warmup * steps)
        return step_every_batch(linear_with_warmup(optimizer, warmup=warmup, steps=steps, floor=LR_FLOOR))


def fit(module: HateModule, batches: DataLoader, folder: Path, *, resume: bool, **options: Any) -> CrossAttention:
    """Trains the module; returns the averaged network of the best validation. `options` are Lightning's trainer's."""
    run = build_trainer(folder, Monitor("auroc", patience=module.config.patience), resume=resume, **options)
    once: Any = DataLoader([0], batch_size=None)  # type: ignore[arg-type]  # one validation step looks at all rows
    run.fit(module, batches, once)
    module.load_state_dict(run.best_state())
    return cast(CrossAttention, module.mean.module).eval()


@torch.inference_mode()
def predict(net: nn.Module, data: Data, rows: Rows) -> np.ndarray:
    """Logits float32 [rows, outputs] as the app computes them, on the network's device; the network keeps its mode."""
    was_training, device = net.training, next(net.parameters()).device
    net.eval()
    with torch.autocast(device.type, enabled=False):
        batches = [
            net(*(tensor.to(device) for tensor in data.inputs(batch)))[0].float().cpu().numpy()
            for batch in rows.batches()
        ]
    net.train(was_training)
    return np.concatenate([np.zeros((0, cast(CrossAttentionSettings, net.settings).outputs), np.float32), *batches])


def predict_sources(net: nn.Module, data: Data, rows: Mapping[str, Rows]) -> dict[str, Source]:
    """By source the logits [rows] of its head and the labels."""
    return {name: (predict(net, data, source)[:, head_of(name)], source.label) for name, source in rows.items()}
