"""`python -m training fit hate_cross_attention`: one backbone, two heads, five folds that are shipped as an ensemble.

Co-attention over the frozen tokens of `mini_words` and `mini_picture`. Head `hate` learns from sentences, from
religiously hateful memes, and from sentences combined with photographs that have nothing to do with them; head `harm`
from HarMeme. The five networks of a five-fold cross-validation by group are an ensemble (bagging, Breiman 1996): each
was stopped early on its own validation fold, and the out-of-fold metrics come with it.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
from training.config import load_config, overrides_of
from training.datasets.base import data_folder
from training.engine.trainer import curve_by_check
from training.hate import data as hate_rows
from training.hate import lit_module
from training.hate.config import MEME_SETS, HateConfig
from training.hate.data import Data, Rows, head_of
from training.hate.lit_module import Batch, HateModule, predict

FROM_COUNTERFACTUALS = 0.3  # fraction of the batches of sentences with photographs whose sentences are counterfactuals


class TrainingBatches(IterableDataset):
    """`steps` batches, each with the configured number of rows of every source."""

    def __init__(self, data: Data, rows: dict[str, Rows], config: HateConfig, seed: int) -> None:
        self.data, self.rows, self.config, self.seed = data, rows, config, seed

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        for _ in range(self.config.steps):
            drawn = {}
            for name in ("sentences", "counterfactuals", *MEME_SETS):
                drawn[name] = self.rows[name].take(rng.integers(len(self.rows[name]), size=self.config.rows[name]))
                if name in MEME_SETS:
                    drawn[name] = drawn[name].drop_modalities(self.config.modality_dropout, rng)
            drawn["beside"] = self._sentences_with_photographs(rng, self.config.rows["beside"])
            photographs = rng.choice(self.data.photographs, self.config.rows["photographs"])
            zeros = np.zeros(len(photographs), dtype=int)
            drawn["photographs"] = Rows(zeros - 1, photographs, zeros, zeros)
            yield {name: self.data.batch(name, rows) for name, rows in drawn.items()}

    def _sentences_with_photographs(self, rng: np.random.Generator, count: int) -> Rows:
        """Each photograph comes once with a hateful and once with another sentence, so that it tells nothing by itself."""
        sentences = self.rows["counterfactuals" if rng.random() < FROM_COUNTERFACTUALS else "sentences"]
        hateful, harmless = np.flatnonzero(sentences.label == 1), np.flatnonzero(sentences.label == 0)
        index = np.concatenate([rng.choice(hateful, count // 2), rng.choice(harmless, count // 2)])
        return replace(sentences.take(index), picture=np.tile(rng.choice(self.data.photographs, count // 2), 2))


def train_folds(
    data: Data, config: HateConfig, out: Path, *, resume: bool
) -> tuple[list[CrossAttention], dict[str, np.ndarray]]:
    """The networks, and the out-of-fold logits [rows] of each set of memes; with `resume`, complete folds are read."""
    folds = hate_rows.folds(data, config)
    out_of_fold = {name: np.zeros(len(fold), np.float32) for name, fold in folds.items()}
    nets = []
    for number in range(config.folds):
        file = out / f"fold{number}.pt"
        if not (resume and file.is_file()):
            L.seed_everything(config.seed + number, verbose=False)
            train_rows = data.rows | {n: data.rows[n].take(np.flatnonzero(fold != number)) for n, fold in folds.items()}
            test_rows = {n: data.rows[n].take(np.flatnonzero(fold == number)) for n, fold in folds.items()}
            net = lit_module.fit(
                HateModule(CrossAttentionSettings(), config, data, test_rows),
                DataLoader(TrainingBatches(data, train_rows, config, config.seed + number), batch_size=None),
                out / f"fold{number}",
                resume=False, max_epochs=1, accelerator="cpu", val_check_interval=config.check_every, log_every_n_steps=25,
            )  # fmt: skip
            torch.save(net.state_dict(), file)
        net = CrossAttention(CrossAttentionSettings())
        net.load_state_dict(torch.load(file, weights_only=True))
        for name, fold in folds.items():
            index = np.flatnonzero(fold == number)
            out_of_fold[name][index] = predict(net, data, data.rows[name].take(index))[:, head_of(name)]
        nets.append(net.eval())
    return nets, out_of_fold


def fit(args: argparse.Namespace) -> None:
    """Trains the folds, calibrates and writes `weights/hate_cross_attention` with its curves; checkpoints stay in `args.out`."""
    if getattr(args, "profile", "mini") == "clip":
        from training.hate import train_clip  # open_clip

        train_clip.fit(args)
        return
    from training.hate import report

    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    config = load_config("hate_cross_attention", HateConfig, overrides_of(args))
    if args.limit:
        config = replace(config, folds=2, steps=4, check_every=2)
    train_data, validation_data = (
        hate_rows.read(folder, split, out / "cache", config, limit=args.limit) for split in ("train", "validation")
    )
    nets, out_of_fold = train_folds(train_data, config, out, resume=args.resume)
    logs = [out / f"fold{number}" / "metrics.csv" for number in range(config.folds)]
    curves = [curve_by_check(log, "auroc") for log in logs if log.is_file()]
    report.save(nets, config, train_data, validation_data, out_of_fold, curves)
