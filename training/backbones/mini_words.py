"""`python -m training fit mini_words`: MiniLM-L6 fine-tuned to tell hateful sentences from kind and plain ones.

Its word tokens are what `hate_cross_attention` attends over.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from training import config
from training.backbones import sentences
from training.datasets.base import data_folder
from training.datasets.counterfactuals import misspell
from training.datasets.counterfactuals import sentences as counterfactual_sentences


def training_rows(folder: Path, settings: dict[str, Any]) -> tuple[list[str], np.ndarray]:
    """Sentences drawn by the recipe's weights, the counterfactuals, some misspelt: texts and labels [rows, 1]."""
    rng = random.Random(settings["schedule"]["seed"])
    frame = pd.read_parquet(folder / "hate_text.train.parquet")
    rows: list[tuple[str, int]] = []
    for text, label, kind, source in zip(frame.text, frame.label, frame.raw_label, frame.source_set, strict=True):
        weight = settings["weights"][source].get(kind, 0.0)
        rows += [(text, int(label))] * (int(weight) + (rng.random() < weight % 1))
    rows += [(s.text, s.label) for s in counterfactual_sentences("train")]
    texts = [misspell(text, rng) if rng.random() < settings["misspelt"] else text for text, _ in rows]
    return texts, np.array([[label] for _, label in rows], dtype=np.float32)


def validation_rows(folder: Path) -> pd.DataFrame:
    """`hate_text`'s validation rows that are clean, and the counterfactuals of held-out templates, with their source."""
    frame = pd.read_parquet(folder / "hate_text.validation.parquet")
    frame = frame[~frame.raw_label.isin(["offensive", "offensive_language"])][["text", "label", "source_set"]]
    ours = [(s.text, s.label, "counterfactuals") for s in counterfactual_sentences("validation")]
    return pd.concat([frame, pd.DataFrame(ours, columns=list(frame.columns))], ignore_index=True)


def fit(args: argparse.Namespace) -> None:
    """Trains the tower and leaves `mini_words.pt` and its validation figures in `args.out`."""
    folder = data_folder(args.data)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    settings = config.read("mini_words")
    schedule = sentences.Schedule(**settings["schedule"]).asked(args)
    texts, labels = training_rows(folder, settings)
    held_out = validation_rows(folder)
    sample = held_out.sample(min(len(held_out), 2500), random_state=0)
    if args.limit:
        texts, labels, held_out = texts[: args.limit], labels[: args.limit], held_out[: args.limit]
    prior = torch.logit(torch.tensor(labels.mean(axis=0)))
    watched = (sample.text.tolist(), sample.label.to_numpy(dtype=np.float32)[:, None])
    module = sentences.fit((texts, labels), watched, schedule=schedule, folder=out, resume=args.resume, bias=prior)
    scores = sentences.predict(module, held_out.text.tolist(), schedule)[:, 0]
    figures = {
        source: round(float(roc_auc_score(rows.label, scores[rows.index])), 4)
        for source, rows in held_out.groupby("source_set")
        if rows.label.nunique() == 2
    }
    torch.save(module.state_dict(), out / "mini_words.pt")
    (out / "validation.json").write_text(json.dumps({"rows": len(texts), "auroc": figures}, indent=2) + "\n")
