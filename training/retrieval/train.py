"""`python -m training fit joint_flickr8k`: `weights/joint_picture` and `weights/joint_words`, trained on Flickr8k.

Two stages: both heads on what the frozen towers say, then the heads with the upper half of the words' tower. The
running mean of the weights is checked every few steps by retrieval among the 1,000 validation photographs and their 5,000
captions, and the best check ships; the card also tells the baseline of `training.retrieval.baseline`, which stands on the
same frozen features, and the difference with its interval.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models import weights
from models.io.images import open_picture
from models.search.joint_space import JointSpace
from training import config
from training.backbones.pretrained import export_words, write_vocabulary
from training.datasets.base import Row, data_folder
from training.datasets.flickr8k import FLICKR8K
from training.engine.losses import symmetric_info_nce
from training.export import weights_folder
from training.metrics import retrieval
from training.metrics.retrieval import Ranks
from training.retrieval import baseline as joint_baseline
from training.retrieval.data import PLAIN, Captions, Photographs, Told, photographs, through, told
from training.retrieval.model import SIDE, Joint, PictureForExport, WordsForExport
from training.retrieval.report import PICTURE_CARD, WORDS_CARD, compared, same_threshold, table

CLIP = 5.0  # the gradient's norm
HEADS = 1  # keeps the random numbers of the first stage apart from those of the second


def fit(args: argparse.Namespace) -> None:
    """Trains, or goes on from `args.out`, and writes both folders."""
    settings = config.read("joint_flickr8k", args)
    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(settings["seed"])
    joint = Joint(settings["dropout_picture"], settings["dropout_words"], settings["scale"])
    rows = {part: FLICKR8K.load(part, folder)[0][: args.limit] for part in ("train", "validation")}
    pairs = {
        part: Pairs(
            photographs(rows[part], out / "cache", variants=settings["variants"] if part == "train" else 1),
            told(joint.words, Captions([row.details["captions"] for row in rows[part]]), out / "cache"),
        )
        for part in rows
    }
    late = joint_baseline.fit_flickr8k(pairs["train"].frozen(), pairs["validation"].frozen(), seed=settings["seed"])
    joint = train(joint, pairs["train"], pairs["validation"], settings, out, args.resume)
    write(joint, late, settings, pairs["validation"].seen, rows["validation"])


@dataclass(frozen=True)
class Pairs:
    """The photographs of one part and their captions."""

    seen: Photographs
    told: Told

    def frozen(self) -> tuple[Tensor, Tensor, np.ndarray]:
        """Features of the photographs (N, 1712), of their captions (M, 1536), and the photograph of each caption."""
        return self.seen.seen[PLAIN], self.told.means, self.told.owner


def train(
    joint: Joint, pairs: Pairs, checked: Pairs, settings: dict[str, Any], out: Path, resume: bool = False
) -> Joint:
    """The running mean of the weights at the check with the best sum of recalls."""
    joint.picture.standardise(pairs.seen.seen[PLAIN])
    last = out / "last.pt"
    held = torch.load(last, weights_only=True) if resume and last.is_file() else None
    if held is None:
        heads(joint, pairs, settings)
    average = copy.deepcopy(joint).eval()
    optimizer = _optimizer(joint, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rate(step, settings["warmup"], settings["steps"])
    )
    start, best, history = 0, -math.inf, list[dict[str, float]]()
    if held is not None:
        joint.load_state_dict(held["joint"])
        average.load_state_dict(held["average"])
        optimizer.load_state_dict(held["optimizer"])
        schedule.load_state_dict(held["schedule"])
        start, best, history = held["step"], held["best"], held["history"]
    batch, losses = min(settings["batch"], len(pairs.seen)), list[float]()

    def check(step: int) -> None:
        nonlocal best
        recalls = retrieval.recalls(rank(average, checked))
        loss = {"loss": round(float(np.mean(losses[-settings["check"] :])), 4)} if losses else {}
        history.append({"step": step, **loss, **recalls})
        if sum(recalls.values()) > best:
            best = sum(recalls.values())
            torch.save(average.state_dict(), out / "best.pt")
        (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        state = {"joint": joint, "average": average, "optimizer": optimizer, "schedule": schedule}
        torch.save(
            {name: one.state_dict() for name, one in state.items()} | {"step": step, "best": best, "history": history},
            last,
        )

    if held is None:
        check(0)
    for step in tqdm(range(start, settings["steps"]), desc="both", initial=start, disable=None):
        rng = np.random.default_rng((settings["seed"], step))
        joint.train()
        rows = rng.permutation(len(pairs.seen))[:batch]
        captions = pairs.told.one_of_each(rows, rng)
        with torch.autocast("cpu", torch.bfloat16):
            words = through(joint.words, pairs.told, captions)  # (B, 512)
        loss = _loss(joint, _shown(pairs, rows, rng), words, settings["hardness"])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(joint.parameters(), CLIP, error_if_nonfinite=True)
        optimizer.step()
        schedule.step()
        _follow(average, joint, min(settings["average"], (step + 1) / (step + 10)))
        losses.append(loss.item())
        if (step + 1) % settings["check"] == 0 or step + 1 == settings["steps"]:
            check(step + 1)
    average.load_state_dict(torch.load(out / "best.pt", weights_only=True))
    return average.eval()


def heads(joint: Joint, pairs: Pairs, settings: dict[str, Any]) -> None:
    """Trains both heads in place on what the frozen towers say."""
    joint.words.side.standardise(pairs.told.means)
    free = [*joint.picture.parameters(), *joint.words.side.parameters(), joint.scale]
    optimizer = torch.optim.AdamW(free, lr=settings["rate_heads"], weight_decay=settings["weight_decay"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings["steps_heads"])
    batch = min(settings["batch_heads"], len(pairs.seen))
    joint.train()
    for step in tqdm(range(settings["steps_heads"]), desc="heads", disable=None):
        rng = np.random.default_rng((settings["seed"], HEADS, step))
        rows = rng.permutation(len(pairs.seen))[:batch]
        words = joint.words.side(pairs.told.means[pairs.told.one_of_each(rows, rng)])
        loss = _loss(joint, _shown(pairs, rows, rng), words, settings["hardness"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _shown(pairs: Pairs, rows: np.ndarray, rng: np.random.Generator) -> Tensor:
    """One of the variants of each photograph: (B, 1712)."""
    variants = torch.from_numpy(rng.integers(len(pairs.seen.seen), size=len(rows)))
    return pairs.seen.seen[variants, torch.from_numpy(rows)]


def _loss(joint: Joint, seen: Tensor, words: Tensor, hardness: float) -> Tensor:
    """InfoNCE both ways between photographs (B, 1712) and a caption's vector of each (B, 512)."""
    return symmetric_info_nce(words, joint.picture(seen), joint.temperature(), hardness=hardness)


def _optimizer(joint: Joint, settings: dict[str, Any]) -> torch.optim.Optimizer:
    tower = [p for p in joint.words.tower.parameters() if p.requires_grad]
    groups = [
        {"params": tower, "lr": settings["rate_words"]},
        {"params": [*joint.picture.parameters(), *joint.words.side.parameters()], "lr": settings["rate_heads_on"]},
        {"params": [joint.scale], "lr": settings["rate_heads_on"], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, weight_decay=settings["weight_decay"], fused=True)


def _rate(step: int, warmup: int, steps: int) -> float:
    """Up in a straight line, then down a half cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


@torch.no_grad()
def _follow(average: nn.Module, joint: nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), joint.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


@torch.no_grad()
def rank(joint: Joint, pairs: Pairs) -> Ranks:
    """Where each photograph's captions and each caption's photograph rank."""
    joint.eval()
    pictures = joint.picture(pairs.seen.seen[PLAIN])
    with torch.autocast("cpu", torch.bfloat16):
        words = through(joint.words, pairs.told, range(len(pairs.told.owner)))
    return retrieval.ranks((pictures @ words.T).numpy(), pairs.told.owner)


def shipped(rows: Sequence[Row]) -> Ranks:
    """Ranks by the graphs that ship, in 8 bits, through the app's own code."""
    space = JointSpace()
    pictures = space.embed_images([open_picture(row.image or b"").image for row in rows])
    words = space.embed_texts([caption for row in rows for caption in row.details["captions"]])
    owner = np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])
    return retrieval.ranks(pictures @ words.T, owner)


def write(joint: Joint, baseline: Ranks, settings: dict[str, Any], seen: Photographs, rows: Sequence[Row]) -> None:
    """Both folders, then their figures on the validation rows."""
    write_vocabulary()
    picture = PictureForExport(joint.picture).eval()
    graph = weights_folder.trace(
        picture, [torch.randn(2, 3, SIDE, SIDE)], names=["pixels"], outputs=["vector"], dynamic={"pixels": {0: "batch"}}
    )
    shared = {"width": 512, "temperature": round(1 / joint.temperature().item(), 4), "recipe": settings}
    pictures = {
        "kind": "EfficientNet-Lite0 in a joint space of pictures and words",
        "preprocessing": {**weights.card("mini_picture").setting("preprocessing"), "side": SIDE},
        "same": same_threshold(joint, seen),
    }
    words = {
        "kind": "MiniLM-L6 in a joint space of pictures and words",
        "vocabulary": weights.card("mini_vocabulary").identity,
    }
    weights_folder.write("joint_picture", config=pictures | shared, metrics={}, readme="", graph=graph, bits=8)
    graph = export_words(WordsForExport(joint.words), ("vector",))
    weights_folder.write("joint_words", config=words | shared, metrics={}, readme="", graph=graph, bits=8)
    found = shipped(rows)
    ours, theirs = (retrieval.metrics(one) for one in (found, baseline))
    gain = retrieval.difference(found, baseline)
    figures = {
        "flickr8k, validation (stop chosen on these rows)": {"rows": len(rows), **ours},
        "flickr8k, validation, baseline (separate embeddings, late combination)": {"rows": len(rows), **theirs},
        "flickr8k, validation, joint minus baseline": {"rows": len(rows), **gain},
    }
    values = {"table": table(ours, theirs, gain), "verdict": compared(gain), **ours}
    for name, card in (("joint_picture", PICTURE_CARD), ("joint_words", WORDS_CARD)):
        weights_folder.report(name, metrics=figures, readme=card.format(**values))
