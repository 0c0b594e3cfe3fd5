"""Flickr8k (Hodosh et al. 2013): pictures and their captions find each other in the joint space.

A picture that cannot be opened, or has no captions, is counted and left out, and with it its captions.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from models.errors import BadInput
from models.search.joint_space import JointSpace, MiniSpace, open_space
from training.datasets.base import Row
from training.datasets.flickr8k import FLICKR8K
from training.metrics import retrieval
from training.tasks import inputs
from training.tasks.base import AppTask, EvalOptions, EvalResult

BATCH_SIZE = 64


def predict(rows: Sequence[Row], options: EvalOptions, space: JointSpace | MiniSpace | None = None) -> EvalResult:
    """Each picture among all captions and each caption among all pictures; columns hold the ranks, 1 being best."""
    space = space or open_space()
    notes: Counter[str] = Counter()
    captions = [[str(caption) for caption in (row.details["captions"] or ())] for row in rows]
    notes["without_captions"] = sum(not each for each in captions)
    numbers: list[int] = []  # of the rows that are ranked

    def pictures():  # type: ignore[no-untyped-def]
        for number, image in inputs.images(rows, notes):
            if captions[number]:
                numbers.append(number)
                yield image

    vectors = inputs.batched(pictures(), space.embed_images, len(rows), BATCH_SIZE)
    if len(numbers) < 2:
        raise BadInput("Retrieval needs at least two pictures that can be opened, each with a caption.")
    owner = np.repeat(np.arange(len(numbers)), [len(captions[number]) for number in numbers])
    caption_vectors = space.embed_texts([caption for number in numbers for caption in captions[number]])
    ranks = retrieval.ranks(np.array(vectors) @ caption_vectors.T, owner)
    index_of = {number: index for index, number in enumerate(numbers)}
    own = [index_of.get(number) for number in range(len(rows))]
    notes["captions_ranked"] = len(owner)
    return EvalResult(
        {
            "image_to_text_rank": [None if index is None else int(ranks.image[index]) for index in own],
            "text_to_image_ranks": [[] if index is None else ranks.text[owner == index].tolist() for index in own],
        },
        retrieval.metrics(ranks),
        notes,
        {"weights": [card.name for card in space.cards]},
    )


TASKS = (
    AppTask(
        name="flickr8k",
        title="Photographs and captions that find each other",
        dataset=FLICKR8K,
        columns=("captions",),
        model="joint_flickr8k",
        predict=predict,
    ),
)
