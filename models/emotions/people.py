"""The emotions of a person in a photograph, from the whole picture and a crop of the person: EMOTIC's 26 categories and ratings.

`weights/joint_emotic` is not in the repository: EMOTIC has to be requested from its owners, and who has it trains the folder by
`python -m training fit joint_emotic`. Several categories may hold; valence, arousal and dominance go from 1 to 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from models import weights
from models.classifiers.heads import sigmoid
from models.encoders.mini import SIDE
from models.errors import BadWeights
from models.io.images import preprocess
from models.weights import Card

NAME = "joint_emotic"
CONTINUOUS = ("valence", "arousal", "dominance")
BATCH_SIZE = 4


@dataclass(frozen=True)
class PersonEmotions:
    """`probabilities` in the order of the reader's `labels`; ratings from 1 to 10; `vector` of the joint space (512)."""

    probabilities: tuple[float, ...]
    valence: float
    arousal: float
    dominance: float
    vector: np.ndarray


class PeopleReader:
    """Thread-safe."""

    def __init__(self, *, threads: int = 0) -> None:
        """Raises `BadWeights` where nobody trained the folder, or it is damaged."""
        if not weights.folder(NAME).is_dir():
            raise BadWeights(
                f"There is no {NAME} in {weights.root()}: EMOTIC comes from its owners by request. Convert it with `python -m "
                f"training convert-emotic` and train with `python -m training fit {NAME} --data FOLDER`."
            )
        self.card: Card = weights.card(NAME)
        self.labels: tuple[str, ...] = tuple(self.card.setting("labels"))
        self._session = weights.session(self.card, threads=threads)

    def read(self, contexts: Sequence[Image.Image], bodies: Sequence[Image.Image]) -> list[PersonEmotions]:
        """One answer a person: the whole RGB picture, and the person cut out of it."""
        people = []
        for start in range(0, len(contexts), BATCH_SIZE):
            batch = {"context": contexts[start : start + BATCH_SIZE], "body": bodies[start : start + BATCH_SIZE]}
            pixels = {name: np.stack([preprocess(image, SIDE) for image in batch[name]]) for name in batch}
            outputs = self._session.run(["categories", "continuous", "vector"], pixels)
            for logits, ratings, vector in zip(*outputs, strict=True):
                valence, arousal, dominance = np.clip(ratings, 1, 10).tolist()
                people.append(PersonEmotions(tuple(sigmoid(logits).tolist()), valence, arousal, dominance, vector))
        return people
