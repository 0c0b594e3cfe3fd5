"""`python -m training fit hate_cross_attention`: one backbone, two heads, five folds that are shipped together.

Co-attention over the frozen tokens of `mini_words` and `mini_picture`. Head `hate` learns from sentences, from
religiously hateful memes, and from sentences set beside photographs that have nothing to do with them; head `harm`
from HarMeme. The five networks of a five-fold cross-validation by group answer together (bagging, Breiman 1996): each
was stopped early on the fold that it did not see, and the out-of-fold figures come with it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.config import read as read_recipe
from training.datasets.base import data_folder
from training.engine import curves
from training.hate import data as hate_rows
from training.hate.data import HARM, HATE, Data, Rows

Batch = dict[str, tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]]  # image, mask, text, mask, label, head


@dataclass(frozen=True)
class Recipe:
    """`configs/hate_cross_attention.toml`, which says what each setting means."""

    folds: int
    steps: int
    check_every: int
    patience: int
    rate: float
    weight_decay: float
    warmup: int
    average: float
    drop_side: float
    share: float
    photographs: int
    misspelt: float
    seed: int
    rows: dict[str, int]
    weights: dict[str, float]
    paths: list[dict[str, Any]]  # as `wide.Path`


class Fold(L.LightningModule):
    """One network: named losses of the parts, a running mean of the weights, figures on the fold it does not see."""

    def __init__(self, settings: CrossAttentionSettings, recipe: Recipe, data: Data, held_out: dict[str, Rows]) -> None:
        super().__init__()
        self.net = CrossAttention(settings)
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.average)
        self.mean = torch.optim.swa_utils.AveragedModel(self.net, multi_avg_fn=decay)
        self.recipe, self.data, self.held_out = recipe, data, held_out

    def training_step(self, batch: Batch, _: int) -> Tensor:
        losses = {name: self._loss(*part) for name, part in batch.items()}
        total = sum((self.recipe.weights[name] * loss for name, loss in losses.items()), torch.zeros(()))
        self.log_dict({"loss": total, **{f"loss_{name}": loss for name, loss in losses.items()}}, batch_size=1)
        return total

    def _loss(
        self, image: Tensor, image_mask: Tensor, text: Tensor, text_mask: Tensor, label: Tensor, head: int
    ) -> Tensor:
        logits = self.net(image, image_mask, text, text_mask)[0][:, head].float()
        return binary_cross_entropy_with_logits(logits, label)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self.mean.update_parameters(self.net)

    def validation_step(self, _: object, __: int) -> None:
        figures = {}
        for name, rows in self.held_out.items():
            logits = predict(self.mean.module, self.data, rows)[:, HARM if name == "harmeme" else HATE]
            figures[f"auroc_{name}"] = float(roc_auc_score(rows.label, logits))
        self.log_dict(figures, prog_bar=True, batch_size=1)
        self.log("auroc", sum(figures.values()) / len(figures), prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        trained = list(self.net.parameters())
        optimizer = torch.optim.AdamW(trained, lr=self.recipe.rate, weight_decay=self.recipe.weight_decay)
        warmup, steps = self.recipe.warmup, self.recipe.steps

        def rate(step: int) -> float:
            return min(1.0, (step + 1) / warmup) * max(0.02, 1 - step / steps)

        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, rate), "interval": "step"},
        }


class Draw(torch.utils.data.IterableDataset):
    """`steps` batches, each with the recipe's number of rows of every part, both labels alike in `beside`."""

    def __init__(self, data: Data, rows: dict[str, Rows], recipe: Recipe, seed: int) -> None:
        self.data, self.rows, self.recipe, self.seed = data, rows, recipe, seed

    def __len__(self) -> int:
        return self.recipe.steps

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        counts = self.recipe.rows
        for _ in range(self.recipe.steps):
            batch = {}
            for name in ("sentences", "counterfactuals", "religious_hateful", "harmeme"):
                some = self.rows[name].take(rng.integers(len(self.rows[name]), size=counts[name]))
                if name in ("religious_hateful", "harmeme"):
                    some = _drop_sides(some, self.recipe.drop_side, rng)
                batch[name] = self._tensors(some, HARM if name == "harmeme" else HATE)
            batch["beside"] = self._tensors(self._beside(rng, counts["beside"]), HATE)
            alone = rng.choice(self.data.photographs, counts["photographs"])
            nothing = np.zeros(len(alone), dtype=int)
            batch["photographs"] = self._tensors(Rows(nothing - 1, alone, nothing, nothing), HATE)
            yield batch

    def _beside(self, rng: np.random.Generator, count: int) -> Rows:
        """Sentences beside unrelated photographs: each photograph once with a hateful and once with another sentence."""
        spoken = self.rows["counterfactuals" if rng.random() < 0.3 else "sentences"]
        hateful, other = np.flatnonzero(spoken.label == 1), np.flatnonzero(spoken.label == 0)
        some = spoken.take(np.concatenate([rng.choice(hateful, count // 2), rng.choice(other, count // 2)]))
        return replace(some, picture=np.tile(rng.choice(self.data.photographs, count // 2), 2))

    def _tensors(self, rows: Rows, head: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, int]:
        image, text = self.data.pictures.batch(rows.picture), self.data.texts.batch(rows.text)
        return *image, *text, torch.from_numpy(rows.label).float(), head


def _drop_sides(rows: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Modality dropout: `share` of the rows lose their picture, another `share` their words, none loses both."""
    dice = rng.random(len(rows))
    picture = np.where((dice < share) & (rows.text >= 0), -1, rows.picture)
    text = np.where((dice >= share) & (dice < 2 * share), -1, rows.text)
    return replace(rows, picture=picture, text=text)


@torch.inference_mode()
def predict(net: nn.Module, data: Data, rows: Rows, *, batch: int = 64) -> np.ndarray:
    """Logits float32 [rows, 2]."""
    was_training = net.training
    net.eval()
    found = [np.zeros((0, 2), np.float32)]
    for start in range(0, len(rows), batch):
        some = slice(start, start + batch)
        sides = *data.pictures.batch(rows.picture[some]), *data.texts.batch(rows.text[some])
        with torch.autocast("cpu", torch.bfloat16):
            found.append(net(*sides)[0].float().numpy())
    net.train(was_training)
    return np.concatenate(found)


def train_folds(data: Data, recipe: Recipe, out: Path, *, resume: bool) -> tuple[list[CrossAttention], dict]:
    """The networks, and the out-of-fold logits of the two meme sets by name (rows in their order)."""
    memes = ("religious_hateful", "harmeme")
    parts = hate_rows.folds([data.rows[name].group for name in memes], recipe.folds, recipe.seed)
    out_of_fold = {name: np.zeros(len(data.rows[name]), np.float32) for name in memes}
    nets = []
    for fold in range(recipe.folds):
        file = out / f"fold{fold}.pt"
        unseen = {name: np.flatnonzero(np.asarray(part) == fold) for name, part in zip(memes, parts, strict=True)}
        if not (resume and file.is_file()):
            seen = dict(data.rows)
            for name, rows in unseen.items():
                seen[name] = seen[name].take(np.setdiff1d(np.arange(len(seen[name])), rows))
            _train_fold(
                fold, data, seen, {name: data.rows[name].take(rows) for name, rows in unseen.items()}, recipe, out
            )
        net = CrossAttention(CrossAttentionSettings())
        net.load_state_dict(torch.load(file, weights_only=True))
        for name, rows in unseen.items():
            logits = predict(net, data, data.rows[name].take(rows))
            out_of_fold[name][rows] = logits[:, HARM if name == "harmeme" else HATE]
        nets.append(net.eval())
    return nets, out_of_fold


def _train_fold(
    fold: int, data: Data, seen: dict[str, Rows], unseen: dict[str, Rows], recipe: Recipe, out: Path
) -> None:
    L.seed_everything(recipe.seed + fold, verbose=False)
    module = Fold(CrossAttentionSettings(), recipe, data, unseen)
    folder = out / f"fold{fold}"
    keep = ModelCheckpoint(
        folder, filename="best", monitor="auroc", mode="max", save_last=True, enable_version_counter=False
    )
    trainer = L.Trainer(
        max_epochs=1,
        precision="bf16-mixed",
        accelerator="cpu",
        val_check_interval=recipe.check_every,
        callbacks=[keep, EarlyStopping("auroc", mode="max", patience=recipe.patience)],
        logger=CSVLogger(folder, name="", version=""),
        num_sanity_val_steps=0,
        log_every_n_steps=25,
        enable_model_summary=False,
    )
    loader = torch.utils.data.DataLoader(Draw(data, seen, recipe, recipe.seed + fold), batch_size=None)
    once: Any = torch.utils.data.DataLoader([0], batch_size=None)  # type: ignore[arg-type]
    trainer.fit(module, loader, once)
    state = torch.load(keep.best_model_path, weights_only=False)["state_dict"]
    mean = {key.removeprefix("mean.module."): value for key, value in state.items() if key.startswith("mean.module.")}
    torch.save(mean, out / f"fold{fold}.pt")


def fit(args: argparse.Namespace) -> None:
    """Trains the folds, calibrates and writes `weights/hate_cross_attention` with its curves; checkpoints stay in `args.out`."""
    if getattr(args, "profile", "mini") == "clip":
        from training.hate import train_clip

        train_clip.fit(args)
        return
    from training.hate import report

    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    recipe = Recipe(**read_recipe("hate_cross_attention", args))
    if args.limit:
        recipe = replace(recipe, folds=2, steps=4, check_every=2)
    data = hate_rows.read(folder, "train", out / "cache", recipe, limit=args.limit)
    held_out = hate_rows.read(folder, "validation", out / "cache", recipe, limit=args.limit)
    nets, out_of_fold = train_folds(data, recipe, out, resume=args.resume)
    logs = [out / f"fold{fold}" / "metrics.csv" for fold in range(recipe.folds)]
    learned = [curves.by_check(log, "auroc") for log in logs if log.is_file()]
    report.save(nets, asdict(recipe), data, held_out, out_of_fold, learned)
