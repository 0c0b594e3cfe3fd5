"""`python -m training fit joint_flickr8k`: `weights/joint_picture` and `weights/joint_words`, trained on Flickr8k.

Settings, data, model, loop, in this order. The running mean of the weights is validated after each epoch by retrieval
among the 1,000 validation photographs and their 5,000 captions, and the best epoch ships; the card also tells the
baseline of `training.joint_baseline` on the same rows and the difference with its interval.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models import weights
from models.retrieval import JointSpace
from training import export, joint_baseline, recipe, retrieval_metrics
from training.datasets import flickr8k
from training.datasets.folder import data_folder
from training.joint_card import PICTURE_CARD, WORDS_CARD, compared, same_threshold, table
from training.joint_data import PLAIN, Captions, Photographs, encoded, photographs
from training.joint_net import Joint, PictureForExport, WordsForExport, info_nce
from training.retrieval_metrics import Ranks
from training.towers import export_words, write_vocabulary

CLIP = 5.0  # the gradient's norm
CAPTIONS = 5


def fit(args: argparse.Namespace) -> None:
    """Trains, or goes on from `args.out`, and writes both folders."""
    settings = recipe.read("joint_flickr8k", args)
    folder, out = data_folder(args.data), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    rows = {part: flickr8k.read(part, folder)[: args.limit] for part in ("train", "validation")}
    seen = {
        part: photographs(rows[part], out / "cache", variants=settings["variants"] if part == "train" else 1)
        for part in rows
    }
    told = {part: Captions([row.details["captions"] for row in rows[part]]) for part in rows}
    joint = train((seen["train"], told["train"]), (seen["validation"], told["validation"]), settings, out, args.resume)
    owner = np.repeat(np.arange(len(rows["validation"])), [len(row.details["captions"]) for row in rows["validation"]])
    found = rank(joint, seen["validation"], told["validation"], owner)
    baseline = joint_baseline.fit_flickr8k(rows["train"], rows["validation"], out, seed=settings["seed"])
    write(joint, found, baseline, settings, seen["validation"])


def train(
    train_on: tuple[Photographs, Captions],
    check_on: tuple[Photographs, Captions],
    settings: dict[str, Any],
    out: Path,
    resume: bool,
) -> Joint:
    """The running mean of the weights at the epoch with the best sum of recalls on the rows checked."""
    seen, told = train_on
    torch.manual_seed(settings["seed"])
    joint = Joint(settings["dropout"], settings["scale"])
    joint.picture.standardise(seen.seen[PLAIN])
    average = copy.deepcopy(joint).eval()
    optimizer = _optimizer(joint, settings)
    batch = min(settings["batch"], len(seen))
    steps = settings["epochs"] * (len(seen) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, settings["warmup"], steps))
    owner = np.repeat(np.arange(len(check_on[0])), [len(one) for one in check_on[1].pieces])
    start, best, history = 0, -math.inf, list[dict[str, float]]()
    last = out / "last.pt"
    if resume and last.is_file():
        held = torch.load(last, weights_only=True)
        joint.load_state_dict(held["joint"])
        average.load_state_dict(held["average"])
        optimizer.load_state_dict(held["optimizer"])
        schedule.load_state_dict(held["schedule"])
        start, best, history = held["epoch"], held["best"], held["history"]
    for epoch in range(start, settings["epochs"]):
        rng = np.random.default_rng((settings["seed"], epoch))
        joint.train()
        order = rng.permutation(len(seen))[: len(seen) // batch * batch].reshape(-1, batch)
        first = np.random.default_rng(settings["seed"]).integers(CAPTIONS, size=len(seen))
        memory, losses = Memory(settings["memory"]), []
        for rows in tqdm(order, desc=f"epoch {epoch + 1} of {settings['epochs']}", disable=None):
            others = rng.permutation(np.setdiff1d(np.arange(len(seen)), rows))[: settings["further"]]
            shown = np.concatenate([rows, others])
            variants = torch.from_numpy(rng.integers(len(seen.seen), size=len(shown)))
            captions = told.batch(rows, first[rows] + epoch)  # another of the five each epoch
            with torch.autocast("cpu", torch.bfloat16):
                pictures = joint.picture(seen.seen[variants, torch.from_numpy(shown)])  # (B + further, 512)
                words = encoded(joint.words, captions)  # (B, 512)
            loss = _loss(pictures, words, torch.from_numpy(rows), memory, joint.temperature(), settings["hardness"])
            memory.put(words.detach(), torch.from_numpy(rows))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(joint.parameters(), CLIP)
            optimizer.step()
            schedule.step()
            _follow(average, joint, min(settings["average"], schedule.last_epoch / (schedule.last_epoch + 10)))
            losses.append(loss.item())
        recalls = retrieval_metrics.recalls(rank(average, *check_on, owner))
        history.append({"epoch": epoch + 1, "loss": round(float(np.mean(losses)), 4), **recalls})
        if sum(recalls.values()) > best:
            best = sum(recalls.values())
            torch.save(average.state_dict(), out / "best.pt")
        (out / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
        state = {"joint": joint, "average": average, "optimizer": optimizer, "schedule": schedule}
        torch.save(
            {name: one.state_dict() for name, one in state.items()}
            | {"epoch": epoch + 1, "best": best, "history": history},
            last,
        )
    average.load_state_dict(torch.load(out / "best.pt", weights_only=True))
    return average.eval()


def _optimizer(joint: Joint, settings: dict[str, Any]) -> torch.optim.Optimizer:
    tower = [p for p in joint.words.tower.parameters() if p.requires_grad]
    known = {id(p) for p in (*tower, joint.scale)}
    heads = [p for p in joint.parameters() if p.requires_grad and id(p) not in known]
    groups = [
        {"params": tower, "lr": settings["rate_words"]},
        {"params": heads, "lr": settings["rate_heads"]},
        {"params": [joint.scale], "lr": settings["rate_heads"], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, weight_decay=settings["weight_decay"], fused=True)


def _rate(step: int, warmup: int, steps: int) -> float:
    """Up in a straight line, then down a half cosine to 0."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup))))


class Memory:
    """The captions of the last steps and whose they are, as further wrong partners for the pictures."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.words, self.rows = torch.zeros(0, 512), torch.zeros(0, dtype=torch.long)

    def put(self, words: Tensor, rows: Tensor) -> None:
        """Remembers them and forgets the oldest."""
        self.words = torch.cat([self.words, words])[-self.most :] if self.most else self.words
        self.rows = torch.cat([self.rows, rows])[-self.most :] if self.most else self.rows


def _loss(pictures: Tensor, words: Tensor, rows: Tensor, memory: Memory, scale: Tensor, hardness: float) -> Tensor:
    """Captions among all pictures shown, and pictures among the captions of this step and of those before."""
    batch = len(rows)
    own = torch.arange(batch)
    no_other = torch.zeros(batch, len(pictures), dtype=torch.bool)
    captions = torch.cat([words, memory.words])
    of_same = (
        torch.cat([rows, memory.rows])[None] == rows[:, None]
    )  # (B, captions): the picture's own, of whatever step
    return (
        info_nce(words, pictures, own, scale, same=no_other, hardness=hardness)
        + info_nce(pictures[:batch], captions, own, scale, same=of_same, hardness=hardness)
    ) / 2


@torch.no_grad()
def _follow(average: nn.Module, joint: nn.Module, decay: float) -> None:
    for kept, new in zip(average.parameters(), joint.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


@torch.no_grad()
def embed(joint: Joint, seen: Photographs, told: Captions) -> tuple[Tensor, Tensor]:
    """Photographs as they are (N, 512) and all their captions (M, 512), float32."""
    joint.eval()
    left = joint.picture(seen.seen[PLAIN])
    return left, encoded(joint.words, [one for several in told.pieces for one in several], at_once=100)


def rank(joint: Joint, seen: Photographs, told: Captions, owner: np.ndarray) -> Ranks:
    """Where each photograph's captions and each caption's photograph rank."""
    left, right = embed(joint, seen, told)
    return retrieval_metrics.ranks((left @ right.T).numpy(), owner)


def write(joint: Joint, found: Ranks, baseline: Ranks | None, settings: dict[str, Any], seen: Photographs) -> None:
    """Both folders with their figures on the validation rows; without a baseline the card says that none was measured."""
    write_vocabulary()
    ours, theirs, gain = retrieval_metrics.figures(found), dict[str, float](), dict[str, float]()
    figures = {"flickr8k, validation (epoch chosen on these rows)": {"rows": len(seen), **ours}}
    if baseline is not None:
        theirs, gain = retrieval_metrics.figures(baseline), retrieval_metrics.difference(found, baseline)
        figures["flickr8k, validation, baseline (separate embeddings, late combination)"] = {
            "rows": len(seen),
            **theirs,
        }
        figures["flickr8k, validation, joint minus baseline"] = {"rows": len(seen), **gain}
    values = {"table": table(ours, theirs, gain), "verdict": compared(gain), **ours}
    picture = PictureForExport(joint.picture).eval()
    graph = export.trace(
        picture, [torch.randn(2, 3, 224, 224)], names=["pixels"], outputs=["vector"], dynamic={"pixels": {0: "batch"}}
    )
    shared = {"width": 512, "temperature": round(1 / float(joint.temperature()), 4), "recipe": settings}
    export.write(
        "joint_picture",
        config={
            "kind": "EfficientNet-Lite0 in a joint space of pictures and words",
            "preprocessing": weights.card("mini_picture").setting("preprocessing"),
            "same": same_threshold(joint, seen),
            **shared,
        },
        metrics=figures,
        readme=PICTURE_CARD.format(**values),
        graph=graph,
        bits=8,
    )
    export.write(
        "joint_words",
        config={
            "kind": "MiniLM-L6 in a joint space of pictures and words",
            "vocabulary": weights.card("mini_vocabulary").identity,
            **shared,
        },
        metrics=figures,
        readme=WORDS_CARD.format(**values),
        graph=export_words(WordsForExport(joint.words), ("vector",)),
        bits=8,
    )
    JointSpace()  # what was written can be read
