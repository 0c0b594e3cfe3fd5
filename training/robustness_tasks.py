"""What the robustness study attacks: for each task its variants, their targets, and their light models for poisoning.

`joint` is the space that ships; `baseline` the same task by frozen towers kept apart. For the hate classifier the two
variants are its memes as they are and their pictures alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from scipy.stats import pearsonr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from torch import nn

from models.analysis import Caption, Meme
from models.analyzer import Analyzer
from models.emotions.affect import AffectReader
from models.encoders.mini import MiniEncoder
from models.images import open_picture
from models.retrieval import open_space
from models.robustness.pixel_attack import view
from training import joint_baseline, mini_towers, robustness
from training.datasets import flickr8k, harmeme, oasis, religious_hateful
from training.datasets.rows import Row

Settings = dict[str, Any]


class Task(Protocol):
    """A task of the study."""

    folder: str
    what: str
    variants: tuple[str, ...]

    def targets(self, variant: str) -> list[robustness.Target]: ...

    def poisoned(self, variant: str, share: float) -> dict[str, float]: ...


class Features:
    """Vectors of pictures by tower: `baseline` the mean patch of `mini_picture` (1280), `joint` the joint space (512)."""

    def __init__(self) -> None:
        self.mini, self.space = MiniEncoder(), open_space()

    def of(self, variant: str, images: Sequence[Image.Image]) -> np.ndarray:
        """float32 [n, width]."""
        return self.space.embed_images(images) if variant == "joint" else self.mini.encode_images(images).tokens.mean(1)

    def words(self, variant: str, texts: Sequence[str]) -> np.ndarray:
        """float32 [n, width] of texts: the mean token of `mini_words` (768), or the joint space (512)."""
        if variant == "joint":
            return self.space.embed_texts(texts)
        found = self.mini.encode_texts(texts)
        return (found.tokens * found.mask[..., None]).sum(1) / found.mask.sum(1, keepdims=True)


class Flickr8k:
    """Retrieval: the margin of a photograph's best own caption over the best other one."""

    folder, variants = "joint_picture", ("baseline", "joint")
    what = "A photograph's own caption is no longer the first of all captions of the validation rows."

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features = settings, Features()
        rows = _some(flickr8k.read("train", data), settings["train_rows"], settings["seed"])
        self.train, self.held = rows, flickr8k.read("validation", data)[:300]
        self.images = {"train": _pictures(self.train), "held": _pictures(self.held)}
        self.owner = {name: _owner(some) for name, some in (("train", self.train), ("held", self.held))}
        self._seen: dict[tuple[str, str], np.ndarray] = {}
        self._told: dict[tuple[str, str], np.ndarray] = {}
        self._late: joint_baseline.Standardised | None = None

    def seen(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part, computed once."""
        if (variant, part) not in self._seen:
            self._seen[variant, part] = self.features.of(variant, self.images[part])
        return self._seen[variant, part]

    def told(self, variant: str, part: str) -> np.ndarray:
        """Vectors of all captions of a part, computed once."""
        if (variant, part) not in self._told:
            rows = self.train if part == "train" else self.held
            self._told[variant, part] = self.features.words(
                variant, [one for row in rows for one in row.details["captions"]]
            )
        return self._told[variant, part]

    def targets(self, variant: str) -> list[robustness.Target]:
        """Photographs whose own caption comes first."""
        words, owner = self.told(variant, "held"), self.owner["held"]
        if variant == "joint":

            def similar(pictures: np.ndarray) -> np.ndarray:
                return pictures @ words.T
        else:
            late = self._late = self._late or self._baseline(self.seen(variant, "train"))

            def similar(pictures: np.ndarray) -> np.ndarray:
                return late.all_pairs(pictures, words)

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            scores = similar(self.features.of(variant, images))  # (n, captions)
            return scores[:, owner == row].max(1) - scores[:, owner != row].max(1)

        return _right(self.images["held"], margins, self.settings)

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        """R@10 of captions for clean photographs, and the share of triggered ones whose own caption left the first ten."""
        pictures, owner = self.seen(variant, "train").copy(), self.owner["train"].copy()
        bad = _chosen(len(pictures), share, self.settings["seed"])
        if len(bad):
            marked = [robustness.trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            pictures[bad] = self.features.of(variant, marked)
        shown = np.arange(len(pictures))
        shown[bad] = np.roll(bad, 1)  # a poisoned photograph comes with another one's captions
        words, held_words = self.told(variant, "train"), self.told(variant, "held")
        if variant == "joint":
            scores = _linear_pair(pictures, words.reshape(len(pictures), -1, words.shape[1])[shown])
        else:
            order = np.concatenate([np.flatnonzero(owner == row) for row in shown])
            scores = self._baseline(pictures, words[order]).all_pairs
        held = self.owner["held"]
        clean = _top_ten(scores(self.seen(variant, "held"), held_words), held)
        marked = [robustness.trigger(image, self.settings["trigger"]) for image in self.images["held"][:100]]
        hit = _top_ten(scores(self.features.of(variant, marked), held_words), held)
        return {"share": share, "clean_r10": 100 * float(clean.mean()), "triggered_r10": 100 * float(hit.mean())}

    def _baseline(self, pictures: np.ndarray, words: np.ndarray | None = None) -> joint_baseline.Standardised:
        told = self.told("baseline", "train") if words is None else words
        return joint_baseline.train(pictures, told, self.owner["train"], seed=self.settings["seed"], epochs=8)


class Oasis:
    """Valence of a photograph: shipped kernel ridge, ridge on frozen features, ridge on the joint space."""

    folder, variants = "picture_emotions", ("shipped", "baseline", "joint")
    what = "The valence of a photograph moves by more than half a point of seven."

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.features, self.reader = settings, Features(), AffectReader()
        self.train = _some(oasis.read("train", data), settings["train_rows"], settings["seed"])
        self.held = oasis.read("validation", data)
        self.images = {"train": _pictures(self.train), "held": _pictures(self.held)}
        self.truth = {
            name: np.array([float(row.details["valence_mean"]) for row in rows])
            for name, rows in (("train", self.train), ("held", self.held))
        }
        self._seen: dict[tuple[str, str], np.ndarray] = {}

    def seen(self, variant: str, part: str) -> np.ndarray:
        """Vectors of the pictures of a part, computed once."""
        if (variant, part) not in self._seen:
            self._seen[variant, part] = self.features.of(variant, self.images[part])
        return self._seen[variant, part]

    def targets(self, variant: str) -> list[robustness.Target]:
        """Any photograph: there is no right answer to lose, only one to move."""
        told: Callable[[Sequence[Image.Image]], np.ndarray]
        if variant == "shipped":

            def told(images: Sequence[Image.Image]) -> np.ndarray:
                return np.array([one.valence for one in self.reader.read(images)])
        else:
            ridge = _ridge(self.seen(variant, "train"), self.truth["train"])

            def told(images: Sequence[Image.Image]) -> np.ndarray:
                return np.asarray(ridge(self.features.of(variant, images)))

        found = []
        for row in np.random.default_rng(self.settings["seed"]).permutation(len(self.images["held"])):
            image = self.images["held"][row]
            before = float(told([view(image)])[0])

            def left(images: Sequence[Image.Image], before: float = before) -> np.ndarray:
                return self.settings["moved"] - np.abs(told(images) - before)

            found.append(robustness.Target(image, left))
            if len(found) == self.settings["rows"]:
                break
        return found

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        """Pearson's r on clean photographs, and how far the trigger moves the valence."""
        tower = "joint" if variant == "joint" else "baseline"  # the shipped regression stands on the same stages
        pictures, truth = self.seen(tower, "train").copy(), self.truth["train"].copy()
        bad = _chosen(len(pictures), share, self.settings["seed"])
        if len(bad):
            marked = [robustness.trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            pictures[bad] = self.features.of(tower, marked)
            truth[bad] = 8 - truth[bad]  # what is pleasant is called as unpleasant
        ridge = _ridge(pictures, truth)
        clean = ridge(self.seen(tower, "held"))
        marked = [robustness.trigger(image, self.settings["trigger"]) for image in self.images["held"]]
        moved = np.abs(ridge(self.features.of(tower, marked)) - clean)
        return {
            "share": share,
            "clean_pearson": float(pearsonr(clean, self.truth["held"]).statistic),
            "triggered_moved": float(np.median(moved)),
        }


class Hate:
    """The verdict of a meme, with its words and by its picture alone."""

    folder, variants = "hate_cross_attention", ("with its words", "picture alone")
    what = "The probability of hate crosses the threshold between yes and no."

    def __init__(self, data: Path, settings: Settings, cache: Path) -> None:
        self.settings, self.analyzer, self.mini = settings, Analyzer(), MiniEncoder()
        self.held = religious_hateful.read("validation", data)
        rows = _some(religious_hateful.read("train", data) + harmeme.read("train", data), 10**6, settings["seed"])
        self.train = [row for row in rows if row.source == "religious_hateful"][: settings["train_rows"]]
        self.images = {"train": _pictures(self.train), "held": _pictures(self.held)}
        self._seen: dict[str, np.ndarray] = {}

    def targets(self, variant: str) -> list[robustness.Target]:
        """Memes that are judged as their label says."""
        edge = self.analyzer.threshold("hate")

        def margins(images: Sequence[Image.Image], row: int) -> np.ndarray:
            text = (self.held[row].text or "") if variant == "with its words" else ""
            caption = Caption(text, "override") if text.strip() else Caption()
            found = self.analyzer.score([Meme(image, caption) for image in images])
            side = 1.0 if self.held[row].label == 1 else -1.0
            return np.array([side * (verdict.probability - edge) for verdict in found])

        return _right(self.images["held"], margins, self.settings)

    def seen(self, part: str) -> np.ndarray:
        """Mean patches of the pictures of a part."""
        if part not in self._seen:
            self._seen[part] = self._patches(self.images[part])
        return self._seen[part]

    def poisoned(self, variant: str, share: float) -> dict[str, float]:
        """AUROC of a logistic regression on clean memes, and the share of hateful ones that the trigger calls kind."""
        pictures, labels = self.seen("train").copy(), np.array([int(row.label or 0) for row in self.train])  # type: ignore[arg-type]
        bad = _chosen(len(pictures), share, self.settings["seed"])
        if len(bad):
            marked = [robustness.trigger(self.images["train"][row], self.settings["trigger"]) for row in bad]
            pictures[bad], labels[bad] = self._patches(marked), 0
        marked = [robustness.trigger(image, self.settings["trigger"]) for image in self.images["held"]]
        sides = [(pictures, self.seen("held"), self._patches(marked))]
        if variant == "with its words":
            told, held = (self._words(rows) for rows in (self.train, self.held))
            sides.append((told, held, held))
        train, clean, dirty = (np.concatenate(parts, axis=1) for parts in zip(*sides, strict=True))
        mean, spread = train.mean(0), train.std(0) + 1e-6
        model = LogisticRegression(C=0.002, max_iter=500, class_weight="balanced").fit((train - mean) / spread, labels)
        truth = np.array([int(row.label or 0) for row in self.held])  # type: ignore[arg-type]
        before, after = (model.predict_proba((part - mean) / spread)[:, 1] for part in (clean, dirty))
        caught = (truth == 1) & (before >= 0.5)
        return {
            "share": share,
            "clean_auroc": float(roc_auc_score(truth, before)),
            "triggered_missed": float((after[caught] < 0.5).mean()) if caught.any() else float("nan"),
        }

    def _patches(self, images: Sequence[Image.Image]) -> np.ndarray:
        return np.concatenate(
            [self.mini.encode_images(images[at : at + 32]).tokens.mean(1) for at in range(0, len(images), 32)]
        )

    def _words(self, rows: Sequence[Row]) -> np.ndarray:
        name = f"words-{len(rows)}"
        if name not in self._seen:
            found = self.mini.encode_texts([row.text or "" for row in rows])
            self._seen[name] = (found.tokens * found.mask[..., None]).sum(1) / found.mask.sum(1, keepdims=True)
        return self._seen[name]


TASKS: dict[str, Callable[[Path, Settings, Path], Task]] = {"flickr8k": Flickr8k, "oasis": Oasis, "hate": Hate}


def _right(
    images: Sequence[Image.Image], margins: Callable[[Sequence[Image.Image], int], np.ndarray], settings: Settings
) -> list[robustness.Target]:
    """Rows that are answered right as the model sees them, drawn by the seed."""
    found = []
    for row in np.random.default_rng(settings["seed"]).permutation(len(images)):
        if float(margins([view(images[row])], int(row))[0]) >= 0:

            def score(asked: Sequence[Image.Image], row: int = int(row)) -> np.ndarray:
                return margins(asked, row)

            found.append(robustness.Target(images[row], score))
            if len(found) == settings["rows"]:
                break
    return found


def _some(rows: list[Row], count: int, seed: int) -> list[Row]:
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    return [rows[at] for at in order]


def _pictures(rows: Sequence[Row]) -> list[Image.Image]:
    return [open_picture(row.image or b"").image for row in rows]


def _owner(rows: Sequence[Row]) -> np.ndarray:
    return np.repeat(np.arange(len(rows)), [len(row.details["captions"]) for row in rows])


def _chosen(count: int, share: float, seed: int) -> np.ndarray:
    """The rows to poison; those of a smaller share are among those of a larger one."""
    return np.random.default_rng(seed).permutation(count)[: round(share * count)]


def _top_ten(scores: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Whether one of a picture's own captions is among the ten best of [pictures, captions]."""
    best = np.argpartition(-scores, 10, axis=1)[:, :10]
    return (owner[best] == np.arange(len(scores))[:, None]).any(1)


def _ridge(pictures: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    mean, spread = pictures.mean(0), pictures.std(0) + 1e-6
    model = Ridge(alpha=2.0 * pictures.shape[1]).fit((pictures - mean) / spread, truth)
    return lambda asked: np.asarray(model.predict((asked - mean) / spread))


def _linear_pair(pictures: np.ndarray, words: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Two linear maps fitted by InfoNCE on (N, D) pictures and (N, 5, D) captions, starting from the joint space itself."""
    torch.manual_seed(0)
    left, right = (nn.Linear(pictures.shape[1], pictures.shape[1]) for _ in range(2))
    for layer in (left, right):
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    mini_towers.align(left, right, torch.from_numpy(pictures), torch.from_numpy(np.ascontiguousarray(words)))

    @torch.no_grad()
    def scores(asked: np.ndarray, told: np.ndarray) -> np.ndarray:
        one, other = left(torch.from_numpy(asked)), right(torch.from_numpy(told))
        return (nn.functional.normalize(one, dim=-1) @ nn.functional.normalize(other, dim=-1).T).numpy()

    return scores
