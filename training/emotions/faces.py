"""`python -m training fit face_expressions`: a small convolutional net on FER-2013, and its folder in weights/.

Pictures pass through `models.emotions.expressions.grey` and `standardise`, the app's own preprocessing. The ten FERPlus
votes (Barsoum et al. 2016) are a second head during training: they tell which pictures are unclear; the metrics and the
shipped head are on FER-2013's own labels.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from scipy.special import softmax
from timm.optim import param_groups_weight_decay
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from models.emotions.expressions import LABELS, SIDE, grey, standardise
from models.io.images import open_picture
from training.calibration.thresholds import fit_temperature
from training.config import Config, load_config, overrides_of
from training.datasets.published import FER2013, VOTES
from training.emotions.face_model import Augmentation, ExpressionNet, MultiScale, fold_norms
from training.engine.schedules import moving_average, one_cycle, step_every_batch
from training.engine.trainer import Curve, Monitor, build_trainer, curve_by_epoch
from training.export import weights_folder
from training.export.cards import render_card
from training.metrics import classification

Batch = tuple[Tensor, Tensor, Tensor]  # faces (B, 1, 48, 48), labels (B,), votes (B, 10)
EVAL_BATCH_SIZE = 256


@dataclass(frozen=True)
class Stage(Config):
    """One cycle of the learning rate."""

    epochs: int
    patience: int
    lr: float
    weight_decay: float
    label_smoothing: float
    votes_weight: float
    dropout: float
    full_size_epochs: int
    augment: Augmentation


@dataclass(frozen=True)
class FaceConfig(Config):
    """`configs/face_expressions.toml`, which says what each setting means."""

    seed: int
    batch_size: int
    warmup: float
    momentum: float
    ema_decay: float
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    sides: tuple[int, ...]
    crop: int
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise ValueError("it has no stages: add a [[stages]] table")


def load_faces(split: str, folder: str | None, limit: int | None = None) -> TensorDataset:
    """A split of FER-2013: standardised faces (N, 1, 48, 48), labels (N,), and votes (N, 10), all 0 where nobody voted."""
    rows = FER2013.load(split, folder)[0]
    if limit and limit < len(rows):
        rows = [rows[n * len(rows) // limit] for n in range(limit)]  # spread out, as the file is sorted by label
    faces = standardise(np.stack([grey(open_picture(row.image or b"").image) for row in rows]))
    labels = torch.tensor([LABELS.index(row.label) for row in rows])
    votes = torch.tensor([[row.details[name] for name in VOTES] for row in rows], dtype=torch.float32)
    return TensorDataset(torch.from_numpy(faces)[:, None], labels, votes / votes.sum(1, keepdim=True).clamp(min=1))


class FaceModule(L.LightningModule):
    """The net, the head for the votes, and the moving average of the net, which is validated and shipped."""

    def __init__(self, config: FaceConfig, stage: Stage, steps: int) -> None:
        super().__init__()
        self.config, self.stage, self.steps = config, stage, steps
        self.net = ExpressionNet(config.widths, config.depths, stage.dropout).to(memory_format=torch.channels_last)
        self.votes = nn.Linear(config.widths[-1], len(VOTES))
        self.average = moving_average(self.net, config.ema_decay, use_buffers=True)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Cross-entropy of the labels, and that of the votes by its weight."""
        faces, labels, votes = batch
        full_size = self.current_epoch >= self.stage.epochs - self.stage.full_size_epochs
        with torch.autocast("cpu", enabled=False):
            faces = self.stage.augment(faces, SIDE if full_size else self.config.crop)
        features = self.net.features(faces.contiguous(memory_format=torch.channels_last))
        label = F.cross_entropy(self.net.head(features).float(), labels, label_smoothing=self.stage.label_smoothing)
        vote = -(votes * self.votes(features).float().log_softmax(1)).sum(1).mean()
        self.log_dict({"label": label, "vote": vote}, prog_bar=True, on_step=False, on_epoch=True)
        return label + self.stage.votes_weight * vote

    def on_train_batch_end(self, *_: Any) -> None:
        """Moves the average."""
        self.average.update_parameters(self.net)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Accuracy and negative log-likelihood of the average."""
        faces, labels, _votes = batch
        logits = self.average(faces.contiguous(memory_format=torch.channels_last)).float()
        metrics = {
            "val_accuracy": (logits.argmax(1) == labels).float().mean(),
            "val_nll": F.cross_entropy(logits, labels),
        }
        self.log_dict(metrics, prog_bar=True, batch_size=len(labels))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """SGD with Nesterov's momentum over one cycle (Smith and Topin 2018)."""
        groups = param_groups_weight_decay(self, self.stage.weight_decay)  # norms and biases are not pulled toward 0
        lr = self.stage.lr
        optimizer = torch.optim.SGD(groups, lr=lr, momentum=self.config.momentum, nesterov=True)
        return step_every_batch(one_cycle(optimizer, lr=lr, warmup=self.config.warmup, steps=self.steps))


def fit(args: argparse.Namespace) -> None:
    """Trains stage after stage, each from the averaged weights of the epoch before it that validated best.

    Then writes `weights/face_expressions`; checkpoints stay in `args.out`, for `resume`.
    """
    config = load_config("face_expressions", FaceConfig, overrides_of(args))
    L.seed_everything(config.seed, verbose=False)
    train, validation = (load_faces(split, args.data, args.limit) for split in ("train", "validation"))
    loader = DataLoader(train, min(config.batch_size, len(train)), shuffle=True, drop_last=True)
    module: FaceModule | None = None
    curves: Curve = []
    for number, stage in enumerate(config.stages, start=1):
        start, module = module, FaceModule(config, stage, steps=stage.epochs * len(loader))
        if start is not None:
            module.net.load_state_dict(start.average.module.state_dict())
            module.average.module.load_state_dict(start.average.module.state_dict())
            module.votes.load_state_dict(start.votes.state_dict())
        folder, monitor = Path(args.out) / f"stage_{number}", Monitor("val_accuracy", patience=stage.patience)
        options = {"max_epochs": stage.epochs, "accelerator": "cpu", "gradient_clip_val": 1.0, "log_every_n_steps": 1}
        run = build_trainer(folder, monitor, resume=args.resume, **options)
        run.fit(module, loader, DataLoader(validation, EVAL_BATCH_SIZE))
        module.load_state_dict(run.best_state())
        for point in curve_by_epoch(folder / "metrics.csv"):
            rounded = {key: round(value, 4) for key, value in point.items()}
            curves.append({"stage": number, **rounded, "epoch": int(point["epoch"])})
    save(cast(FaceModule, module), validation, config, curves, rows=len(train))


def save(module: FaceModule, validation: TensorDataset, config: FaceConfig, curves: Curve, *, rows: int) -> None:
    """Chooses the temperature on the validation rows and writes the folder, metrics and card."""
    net = MultiScale(fold_norms(cast(ExpressionNet, module.average.module).float()), config.sides).eval()
    faces, labels, _ = validation.tensors
    with torch.no_grad():
        logits = torch.cat([(net(batch) + net(batch.flip(-1))) / 2 for batch in faces.split(EVAL_BATCH_SIZE)]).numpy()
    y_true = labels.numpy()
    temperature = round(fit_temperature(logits, y_true), 4)
    probs = softmax(logits / temperature, axis=1)
    metrics = {"rows": len(y_true), **classification.single_label([LABELS[n] for n in y_true], probs, LABELS)}
    recall = {LABELS[n]: float((probs.argmax(1) == n)[y_true == n].mean()) for n in np.unique(y_true)}
    weights_folder.write(
        "face_expressions",
        config={
            "kind": "face expressions: small residual convolutional net, 7 classes",
            "labels": list(LABELS),
            "side": SIDE,
            "preprocessing": "luma, 48x48 (Lanczos), each picture to mean 0 and spread 1; mean with the mirror image",
            "sides": list(config.sides),
            "temperature": temperature,
            "architecture": {"widths": list(config.widths), "depths": list(config.depths)},
            "recipe": asdict(config),
        },
        metrics={
            "validation (epoch and temperature chosen on these rows)": metrics,
            "validation recall by label": recall,
            "trained_on_rows": rows,
            "curves": curves,
        },
        readme=render_card(
            "face_expressions", metrics=metrics, recall=recall, rows=rows, side=SIDE, sides=config.sides,
            temperature=temperature, epochs=len(curves),
        ),
        graph=weights_folder.trace(
            net, [faces[:2].contiguous()], names=["faces"], outputs=["logits"], dynamic={"faces": {0: "batch"}}
        ),
    )  # fmt: skip
