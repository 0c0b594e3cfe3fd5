"""`python -m training fit face_expressions`: a small convolutional net on FER-2013, and its folder in weights/.

Pictures pass through `models.emotions.expressions.grey` and `standardise`, the app's own preprocessing. The ten FERPlus
votes (Barsoum et al. 2016) are a second head while fitting: they tell which pictures are unclear; the report and the
shipped head are on FER-2013's own labels.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tomllib
from pathlib import Path
from typing import Any, cast

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler

from models.emotions.expressions import LABELS, SIDE, grey, standardise
from models.errors import BadInput
from models.io.images import open_picture
from training.datasets.fer2013 import FER2013, VOTES
from training.emotions.face_model import AtSizes, ExpressionNet, augment, folded
from training.export import weights_folder
from training.metrics import classification

RECIPE = Path(__file__).parents[1] / "configs" / "face_expressions.toml"


class Faces(Dataset):
    """A part of FER-2013 as one uint8 tensor; asked for a list of row numbers, as batches are cut by the sampler."""

    def __init__(self, part: str, folder: str | None, limit: int | None = None) -> None:
        rows = FER2013.load(part, folder)[0]
        if limit and limit < len(rows):
            rows = [rows[n * len(rows) // limit] for n in range(limit)]  # spread out, as the file is sorted by label
        self.pixels = np.stack([grey(open_picture(row.image or b"").image) for row in rows])  # (N, 48, 48)
        self.labels = torch.tensor([LABELS.index(row.label) for row in rows])
        votes = torch.tensor([[row.details[name] for name in VOTES] for row in rows], dtype=torch.float32)
        self.votes = votes / votes.sum(1, keepdim=True).clamp(min=1)  # (N, 10); all 0 where nobody voted

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, numbers: list[int]) -> tuple[Tensor, Tensor, Tensor]:
        faces = torch.from_numpy(standardise(self.pixels[numbers]))[:, None]
        return faces, self.labels[numbers], self.votes[numbers]

    def loader(self, batch: int, *, shuffle: bool) -> DataLoader:
        order = RandomSampler(self) if shuffle else SequentialSampler(self)
        return DataLoader(self, sampler=BatchSampler(order, batch, drop_last=shuffle), batch_size=None)


class Fitting(L.LightningModule):
    """The net, the head for the votes, and the running average of the net that is validated and kept."""

    def __init__(self, recipe: dict[str, Any], steps: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.recipe, self.steps = recipe, steps
        self.net = ExpressionNet(recipe["widths"], recipe["depths"], recipe["dropout"]).to(
            memory_format=torch.channels_last
        )
        self.votes = nn.Linear(recipe["widths"][-1], len(VOTES))
        self.average = AveragedModel(
            self.net, multi_avg_fn=get_ema_multi_avg_fn(recipe["average_decay"]), use_buffers=True
        ).requires_grad_(False)

    def training_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> Tensor:
        faces, labels, votes = batch
        full = self.current_epoch >= self.recipe["epochs"] - self.recipe["full_size_epochs"]
        with torch.autocast("cpu", enabled=False):
            faces = augment(faces, side=faces.shape[-1] if full else self.recipe["crop"], **self.recipe["augment"])
        seen = self.net.features(faces.contiguous(memory_format=torch.channels_last))
        label = F.cross_entropy(self.net.head(seen).float(), labels, label_smoothing=self.recipe["label_smoothing"])
        vote = -(votes * self.votes(seen).float().log_softmax(1)).sum(1).mean()
        self.log_dict({"label": label, "vote": vote}, prog_bar=True, on_step=False, on_epoch=True)
        return label + self.recipe["votes_weight"] * vote

    def on_train_batch_end(self, *_: Any) -> None:
        self.average.update_parameters(self.net)

    def validation_step(self, batch: tuple[Tensor, Tensor, Tensor], _: int) -> None:
        faces, labels, _votes = batch
        logits = self.average(faces.contiguous(memory_format=torch.channels_last)).float()
        right = (logits.argmax(1) == labels).float().mean()
        self.log_dict(
            {"val_accuracy": right, "val_nll": F.cross_entropy(logits, labels)}, prog_bar=True, batch_size=len(labels)
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        trained = [*self.net.parameters(), *self.votes.parameters()]
        groups = [  # norms and biases are not pulled toward 0
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.recipe["weight_decay"]},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        rate = self.recipe["learning_rate"]
        optimizer = torch.optim.SGD(groups, lr=rate, momentum=self.recipe["momentum"], nesterov=True)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, total_steps=self.steps, pct_start=self.recipe["warm_share"], cycle_momentum=False
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}


def fit(args: argparse.Namespace) -> None:
    """Fits stage after stage, then writes `weights/face_expressions`; checkpoints stay in `args.out`, for `resume`."""
    L.seed_everything(args.seed, verbose=False)
    recipe = tomllib.loads(RECIPE.read_text(encoding="utf-8"))
    stages = [{**recipe, **stage} for stage in recipe.pop("stages")]
    train, validation = (Faces(part, args.data, args.limit) for part in ("train", "validation"))
    kept: Fitting | None = None
    history: list[dict[str, float]] = []
    for number, stage in enumerate(stages, start=1):
        stage["epochs"] = args.epochs or stage["epochs"]
        folder = Path(args.out) / f"stage_{number}"
        kept = fit_stage(stage, train, validation, folder, start=kept, resume=args.resume)
        history += [{"stage": number, **epoch} for epoch in curves(folder / "curves")]
    if kept is None:
        raise BadInput(f"{RECIPE.name} has no stages: add a [[stages]] table.")
    save(kept, validation, {"stages": stages, "seed": args.seed}, history, rows=len(train))


def fit_stage(
    stage: dict[str, Any], train: Faces, validation: Faces, folder: Path, *, start: Fitting | None, resume: bool
) -> Fitting:
    """One cycle of the learning rate from the averaged weights of `start`; returns the epoch that validated best."""
    loader = train.loader(min(stage["batch"], len(train)), shuffle=True)
    fitting = Fitting(stage, steps=stage["epochs"] * len(loader))
    if start is not None:
        fitting.net.load_state_dict(start.average.module.state_dict())
        fitting.average.module.load_state_dict(start.average.module.state_dict())
        fitting.votes.load_state_dict(start.votes.state_dict())
    if not resume:
        shutil.rmtree(folder / "curves", ignore_errors=True)
    best = ModelCheckpoint(folder, "best", monitor="val_accuracy", mode="max", enable_version_counter=False)
    newest = ModelCheckpoint(folder, "last", enable_version_counter=False)  # every epoch, better or not
    trainer = L.Trainer(
        max_epochs=stage["epochs"],
        accelerator="cpu",
        precision="bf16-mixed",
        gradient_clip_val=1.0,
        callbacks=[best, newest, EarlyStopping("val_accuracy", mode="max", patience=stage["patience"])],
        logger=CSVLogger(folder, name="curves"),  # a version for each resumption
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    last = folder / "last.ckpt"
    going_on = last if resume and last.is_file() else None
    trainer.fit(fitting, loader, validation.loader(256, shuffle=False), ckpt_path=going_on)
    kept = torch.load(best.best_model_path, weights_only=False)  # written a moment ago by this very run
    fitting.load_state_dict(kept["state_dict"])
    return fitting


def curves(folder: Path) -> list[dict[str, float]]:
    """One dict an epoch, of all versions that a resumed run has written (the later one counts)."""
    epochs: dict[int, dict[str, float]] = {}
    for path in sorted(folder.glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime):
        for row in csv.DictReader(path.open(encoding="utf-8")):
            known = {
                key: round(float(value), 4) for key, value in row.items() if value and key not in {"epoch", "step"}
            }
            epochs.setdefault(int(row["epoch"]), {"epoch": int(row["epoch"])}).update(known)
    return [epochs[number] for number in sorted(epochs)]


def temperature_of(logits: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood (Guo et al. 2017)."""

    def loss(temperature: float) -> float:
        return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean())

    return float(minimize_scalar(loss, bounds=(0.2, 5), method="bounded").x)


def save(
    fitted: Fitting, validation: Faces, recipe: dict[str, Any], history: list[dict[str, float]], *, rows: int
) -> None:
    """Chooses the temperature on the validation rows and writes the folder, figures and card."""
    sides = recipe["stages"][-1]["sides"]
    usable = AtSizes(folded(cast(ExpressionNet, fitted.average.module).float()), sides).eval()
    faces, labels, _ = validation[list(range(len(validation)))]
    with torch.no_grad():
        pieces = [usable(part) + usable(part.flip(-1)) for part in faces.split(256)]
    logits, truth = (torch.cat(pieces) / 2).numpy(), labels.numpy()
    temperature = round(temperature_of(logits, truth), 4)
    chances = softmax(logits / temperature, axis=1)
    figures = classification.single_label([LABELS[number] for number in truth], chances, LABELS)
    recall = {LABELS[n]: float((chances.argmax(1) == n)[truth == n].mean()) for n in np.unique(truth)}
    graph = weights_folder.trace(
        usable, [faces[:2].contiguous()], names=["faces"], outputs=["logits"], dynamic={"faces": {0: "batch"}}
    )
    weights_folder.write(
        "face_expressions",
        config={
            "kind": "face expressions: small residual convolutional net, 7 classes",
            "labels": list(LABELS),
            "side": SIDE,
            "preprocessing": "luma, 48x48 (Lanczos), each picture to mean 0 and spread 1; mean with the mirror image",
            "sides": sides,
            "temperature": temperature,
            "architecture": {key: recipe["stages"][0][key] for key in ("widths", "depths")},
            "recipe": recipe,
        },
        metrics={
            "validation (epoch and temperature chosen on these rows)": {"rows": len(truth), **figures},
            "validation recall by label": recall,
            "trained_on_rows": rows,
            "curves": history,
        },
        readme=CARD.format(
            rows=rows, held=len(truth), side=SIDE, temperature=temperature, epochs=len(history),
            sides=", ".join(map(str, sides)),
            recall=", ".join(f"{label} {share:.2f}" for label, share in recall.items()), **figures,
        ),
        graph=graph,
    )  # fmt: skip


CARD = """
# face_expressions

The expression of one face, seven classes, from a {side}x{side} grey crop: a residual convolutional net fitted from
nothing by `python -m training fit face_expressions` in {epochs} epochs.

- Data: FER-2013 (Goodfellow et al. 2013), official split without copies across splits, blank pictures and pictures with
  two labels: {rows:,} training rows. The FERPlus votes (Barsoum et al. 2016, MIT) were a second target while fitting.
- Fed with: the face filling a square crop (`models/emotions/faces.py` cuts it so), grey, resized to {side}x{side}, each
  picture to mean 0 and spread 1. The answer is the mean over crop and mirror image, each shown to the net {sides} pixels
wide, at temperature {temperature}.

On the {held:,} validation rows, on which epoch, sizes and temperature were chosen (95% bootstrap intervals; in brackets what
always answering "happy" scores):

| figure | value | interval | majority |
|---|---|---|---|
| accuracy | {accuracy:.3f} | {accuracy_low:.3f} to {accuracy_high:.3f} | {accuracy_majority:.3f} |
| macro-F1 | {macro_f1:.3f} | {macro_f1_low:.3f} to {macro_f1_high:.3f} | {macro_f1_majority:.3f} |
| weighted F1 | {weighted_f1:.3f} | {weighted_f1_low:.3f} to {weighted_f1_high:.3f} | {weighted_f1_majority:.3f} |
| AUROC, one label against the rest | {auroc:.3f} | {auroc_low:.3f} to {auroc_high:.3f} | {auroc_majority:.3f} |
| Brier | {brier:.3f} | {brier_low:.3f} to {brier_high:.3f} | {brier_majority:.3f} |
| ECE | {ece:.3f} | {ece_low:.3f} to {ece_high:.3f} | {ece_majority:.3f} |

Recall by label: {recall}. Figures on rows that nothing was chosen on come from
`python -m training evaluate face-expressions`.

What it cannot do: it names the label that FER-2013 gives a face, on which people themselves are right in about 65%
(Goodfellow et al. 2013), not what a person feels. The pictures were collected by a search engine, so that posed and
acted faces prevail. How it does on people of different age, origin or gender was not measured, nor on drawn faces,
masks, profiles and very small faces: expect less there.
"""
