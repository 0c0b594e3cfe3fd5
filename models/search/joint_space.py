"""The joint space: pictures and words as unit vectors of 512, and an index that finds the nearest of them.

Both towers were trained together on photographs and their captions (`weights/joint_picture`, `weights/joint_words`):
InfoNCE with a learned temperature (van den Oord et al. 2018; Radford et al. 2021). Similarity is the cosine. FAISS
(Johnson et al. 2019) searches exactly: a flat index of 10,000 vectors answers in a few milliseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from PIL import Image

from models import weights
from models.encoders.base import JOINT
from models.encoders.mini import IMAGE_BATCH_SIZE, SIDE, TEXT_BATCH_SIZE, MiniEncoder
from models.io.images import preprocess
from models.tokenizers.base import length_batches
from models.tokenizers.wordpieces import Vocabulary

SAME = 0.95  # cosine from which two pictures are called near-duplicates; `joint_picture`'s card may say otherwise
CANDIDATES = 24  # nearest neighbours of a picture that are looked at for near-duplicates


class JointSpace:
    """Pictures and words to vectors of length 1. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary | None = None, *, threads: int = 0) -> None:
        """Raises `BadWeights` where a folder is missing, damaged, or was trained on another vocabulary."""
        self.cards = tuple(weights.card(name) for name in ("joint_picture", "joint_words"))
        self.vocabulary = Vocabulary.of(self.cards[1], vocabulary)
        self._picture, self._words = (weights.session(card, threads=threads) for card in self.cards)

    @property
    def side(self) -> int:
        """Pixels of the square that the picture tower looks at: pictures that are smaller show it less."""
        return int(self.cards[0].setting("preprocessing")["side"])

    @property
    def same(self) -> float:
        """The cosine from which two pictures are shown as near-duplicates."""
        return float(self.cards[0].config.get("same", SAME))

    def embed_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB pictures to float32 [n, 512]."""
        vectors = [np.zeros((0, JOINT), np.float32)]
        for start in range(0, len(images), IMAGE_BATCH_SIZE):
            batch = images[start : start + IMAGE_BATCH_SIZE]
            pixels = np.stack([preprocess(image, self.side) for image in batch])  # (B, 3, S, S)
            vectors.append(self._picture.run(["vector"], {"pixels": pixels})[0])
        return np.concatenate(vectors)

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 [n, 512]; like lengths are encoded together."""
        vectors = np.zeros((len(texts), JOINT), np.float32)
        for rows in length_batches([len(text) for text in texts], TEXT_BATCH_SIZE):
            pieces = self.vocabulary.look_up([texts[row] for row in rows])
            vectors[rows] = self._words.run(["vector"], {"embedded": pieces.embedded, "mask": pieces.mask})[0]
        return vectors


class MiniSpace:
    """The `mini` towers' own projections into 512 numbers (`training fit mini_towers`): coarser, and always there."""

    same = SAME
    side = SIDE

    def __init__(self, encoder: MiniEncoder | None = None, *, threads: int = 0) -> None:
        self._encoder = encoder or MiniEncoder(threads=threads)
        self.cards = self._encoder.cards

    def embed_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """RGB pictures to float32 [n, 512]."""
        return self._encoder.encode_images(images).pooled

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Texts to float32 [n, 512]."""
        return self._encoder.encode_texts(texts).pooled


def open_space(*, threads: int = 0) -> JointSpace | MiniSpace:
    """The joint space if it was trained, else the projections of the `mini` towers; `BadWeights` for damaged weights."""
    is_trained = all(weights.folder(name).is_dir() for name in ("joint_picture", "joint_words"))
    return JointSpace(threads=threads) if is_trained else MiniSpace(threads=threads)


@dataclass(frozen=True)
class SearchHit:
    """A row of the index and its cosine with the query, 1 for the same vector, None without a query.

    Where captions were searched, `caption` is the one that fits and `row` that of its picture.
    """

    row: int
    similarity: float | None = None
    caption: str = ""


class Index:
    """Unit vectors by row, searched exactly. Rows are numbered in the order in which they were added."""

    def __init__(self) -> None:
        self._flat = faiss.IndexFlatIP(JOINT)

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    def add(self, vectors: np.ndarray) -> None:
        """float32 [n, 512], each of length 1 (or all zeros, which no search returns)."""
        if vectors.ndim != 2 or vectors.shape[1] != JOINT:
            raise ValueError(f"vectors of shape {vectors.shape} do not fit an index of width {JOINT}")
        self._flat.add(np.ascontiguousarray(vectors, np.float32))

    def vector(self, row: int) -> np.ndarray:
        """The vector [512] of one row."""
        return np.asarray(self._flat.reconstruct(row))

    def search(self, vector: np.ndarray, count: int = 24, *, among: Sequence[int] | None = None) -> list[SearchHit]:
        """The `count` rows nearest to a vector [512], nearest first; only rows of `among` where it is given."""
        if not len(self) or count < 1 or (among is not None and not len(among)):
            return []
        params = None
        if among is not None:
            allowed = faiss.IDSelectorBatch(np.asarray(among, np.int64))
            params = faiss.SearchParameters(sel=allowed)  # type: ignore[call-arg]  # its wrapper takes fields by name
        query = np.ascontiguousarray(vector[None], np.float32)
        similarities, rows = self._flat.search(query, min(count, len(self)), params=params)
        return [
            SearchHit(int(row), float(near)) for row, near in zip(rows[0], similarities[0], strict=True) if row >= 0
        ]

    def near_duplicates(self, threshold: float = SAME) -> list[list[int]]:
        """Groups of rows that hang together by cosines of at least `threshold` (single linkage), the largest first."""
        from scipy.sparse import coo_array  # here: a page that only searches does without scipy
        from scipy.sparse.csgraph import connected_components

        count = len(self)
        if count < 2:
            return []
        similarities, rows = self._flat.search(self._flat.reconstruct_n(0, count), min(CANDIDATES, count))
        alike = similarities >= threshold  # [count, candidates]
        pairs = np.nonzero(alike)[0], rows[alike]
        labels = connected_components(coo_array((np.ones(len(pairs[0])), pairs), (count, count)), directed=False)[1]
        groups = [np.flatnonzero(labels == label).tolist() for label in np.flatnonzero(np.bincount(labels) > 1)]
        return sorted(groups, key=lambda group: (-len(group), group))
