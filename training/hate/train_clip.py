"""`python -m training fit hate_cross_attention --profile clip`: the token-level head of the clip profile.

Co-attention over the frozen tokens of an open_clip model, on a data set that the user names. The tokens are computed once
(`clip_features`); early stopping, calibration, threshold and bands use validation rows, test rows are measured only.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.encoders.clip import ClipEncoder, ClipSource
from models.errors import BadInput
from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from models.runtime import device
from training.config import read as read_recipe
from training.datasets import memes
from training.datasets.base import Row
from training.features.clip import ClipTokens, TokenFiles
from training.hate import report_clip

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]  # image, mask, text, mask, label
ACCELERATORS = {"cuda": ("gpu", "16-mixed"), "mps": ("mps", "32-true"), "cpu": ("cpu", "bf16-mixed")}


@dataclass(frozen=True)
class Recipe:
    """`configs/hate_cross_attention_clip.toml`, which says what each setting means."""

    epochs: int
    batch: int
    rate: float
    weight_decay: float
    warmup: float
    patience: int
    average: float
    drop_side: float
    width: int
    heads: int
    dropout: float
    head_dropout: float
    seed: int


@dataclass(frozen=True)
class Part:
    """Rows of one part with the tokens of both sides."""

    pictures: TokenFiles
    texts: TokenFiles
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def batch(self, rows: np.ndarray, no_picture: np.ndarray | None = None, no_text: np.ndarray | None = None) -> Batch:
        """Tokens and labels; rows marked in `no_picture` or `no_text` lose that side."""
        none = np.zeros(len(rows), bool)
        image = self.pictures.batch(rows, absent=none if no_picture is None else no_picture)
        text = self.texts.batch(rows, absent=none if no_text is None else no_text)
        return *image, *text, torch.from_numpy(self.label[rows]).float()


class Draw(torch.utils.data.IterableDataset):
    """All rows once in a new order, with modality dropout; none loses both sides."""

    def __init__(self, part: Part, recipe: Recipe) -> None:
        self.part, self.recipe = part, recipe
        self._rng = np.random.default_rng(recipe.seed)
        self._both = np.array(
            [
                one is not None and other is not None
                for one, other in zip(part.pictures.files, part.texts.files, strict=True)
            ]
        )

    def __len__(self) -> int:
        return math.ceil(len(self.part) / self.recipe.batch)

    def __iter__(self) -> Iterator[Batch]:
        order = self._rng.permutation(len(self.part))
        for start in range(0, len(order), self.recipe.batch):
            rows = order[start : start + self.recipe.batch]
            dice, share = self._rng.random(len(rows)), self.recipe.drop_side
            both = self._both[rows]
            yield self.part.batch(rows, (dice < share) & both, (dice >= share) & (dice < 2 * share) & both)


class Head(L.LightningModule):
    """The network, and a running mean of its weights, which is what is checked on validation rows."""

    def __init__(self, settings: CrossAttentionSettings, recipe: Recipe, validation: Part, steps: int) -> None:
        super().__init__()
        self.net = CrossAttention(settings)
        self.mean = torch.optim.swa_utils.AveragedModel(self.net, avg_fn=self._averaged)
        self.recipe, self.held_out, self.steps = recipe, validation, steps

    def _averaged(self, mean: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        """A mean over the last steps, over fewer of them in the beginning, so that few steps count too."""
        keep = min(self.recipe.average, (1 + int(steps)) / (10 + int(steps)))
        return keep * mean + (1 - keep) * now

    def training_step(self, batch: Batch, _: int) -> Tensor:
        *sides, label = batch
        loss = binary_cross_entropy_with_logits(self.net(*sides)[0][:, 0].float(), label)
        self.log("loss", loss, prog_bar=True, batch_size=len(label))
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        self.mean.update_parameters(self.net)

    def validation_step(self, _: object, __: int) -> None:
        logits = predict(self.mean.module, self.held_out)
        self.log("auroc", float(roc_auc_score(self.held_out.label, logits)), prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> Any:
        recipe = self.recipe
        optimizer = torch.optim.AdamW(self.net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)

        def rate(step: int) -> float:
            return min(1.0, (step + 1) / (recipe.warmup * self.steps)) * max(0.02, 1 - step / self.steps)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@torch.inference_mode()
def predict(net: nn.Module, part: Part, *, batch: int = 64) -> np.ndarray:
    """Logits float32 [rows], in float32 on the device where the network is."""
    was_training = net.training
    net.eval()
    place = next(net.parameters()).device
    found = [np.zeros(0, np.float32)]
    for start in range(0, len(part), batch):
        *sides, _ = part.batch(np.arange(start, min(start + batch, len(part))))
        with torch.autocast(place.type, enabled=False):
            found.append(net(*(side.to(place) for side in sides))[0][:, 0].float().cpu().numpy())
    net.train(was_training)
    return np.concatenate(found)


def train(
    parts: dict[str, Part], recipe: Recipe, out: Path, *, place: str = "cpu", resume: bool = False
) -> CrossAttention:
    """The network with the best AUROC on validation rows; checkpoints and curves stay in `out`."""
    L.seed_everything(recipe.seed, verbose=False)
    loader = torch.utils.data.DataLoader(Draw(parts["train"], recipe), batch_size=None)
    settings = CrossAttentionSettings(
        parts["train"].pictures.width,
        parts["train"].texts.width,
        width=recipe.width,
        heads=recipe.heads,
        outputs=1,
        dropout=recipe.dropout,
        head_dropout=recipe.head_dropout,
    )
    module = Head(settings, recipe, parts["validation"], recipe.epochs * len(loader))
    keep = ModelCheckpoint(
        out, filename="best", monitor="auroc", mode="max", save_last=True, enable_version_counter=False
    )
    accelerator, precision = ACCELERATORS[place]
    trainer = L.Trainer(
        max_epochs=recipe.epochs,
        accelerator=accelerator,
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        callbacks=[keep, EarlyStopping("auroc", mode="max", patience=recipe.patience), TQDMProgressBar(10)],
        logger=CSVLogger(out, name="", version=""),
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        enable_model_summary=False,
    )
    once: Any = torch.utils.data.DataLoader([0], batch_size=None)  # type: ignore[arg-type]
    last = out / "last.ckpt"
    trainer.fit(module, loader, once, ckpt_path=str(last) if resume and last.is_file() else None, weights_only=False)
    state = torch.load(keep.best_model_path or last, map_location="cpu", weights_only=False)["state_dict"]
    net = CrossAttention(settings)
    net.load_state_dict(
        {key.removeprefix("mean.module."): value for key, value in state.items() if key.startswith("mean.module.")}
    )
    return net.eval()


def encoded(rows: list[Row], store: ClipTokens) -> Part:
    """The rows' tokens, from the cache where they are there."""
    return Part(
        store.images([row.image for row in rows]),
        store.texts([row.text for row in rows]),
        np.array([row.label for row in rows], dtype=int),
    )


def fit(args: argparse.Namespace) -> None:
    """Trains, calibrates and writes `weights/hate_cross_attention_clip`."""
    if not args.data:
        raise BadInput(
            "Name the data: --data with a folder (img/ and train.jsonl, say) or a data set of the Hub, ORGANISATION/NAME."
        )
    recipe = Recipe(**read_recipe("hate_cross_attention_clip", args))
    rows = memes.read(args.data, limit=args.limit)
    if args.limit:
        recipe = replace(recipe, epochs=min(recipe.epochs, 2))
    place = device.choose(args.device)
    encoder = ClipEncoder(ClipSource(args.model, args.pretrained, args.revision), place)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    store = ClipTokens(out / "cache", encoder)
    parts = {name: encoded(some, store) for name, some in rows.items()}
    net = train(parts, recipe, out, place=encoder.placed.device.name, resume=args.resume)
    folder = report_clip.save(net, parts, encoder, recipe=recipe, data=Path(args.data).name)
    print(f"Wrote {folder}. The app takes it as its profile clip: streamlit run app.py")
