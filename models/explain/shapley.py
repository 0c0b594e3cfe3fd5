"""How much the picture and the words each moved the logit: exact Shapley values for two players.

Shapley (1953), "A value for n-person games". A player's value is its contribution averaged over the orders in which the
players can join: alone first, or second after the other. With two players that takes four evaluations and no sampling.
"""

from __future__ import annotations

from collections.abc import Callable

from models.analysis import Shapley


def two_player(logit: Callable[[bool, bool], float]) -> Shapley:
    """Splits `logit(True, True)` between picture and words.

    `logit(picture, words)` is the model's logit with each side present or absent; it is called once for each of the
    four cases. A side that the meme does not have is one whose presence changes nothing, and gets 0. The result
    satisfies base + image + text = total.

    >>> two_player(lambda picture, words: 1.0 + 2.0 * picture + 3.0 * (picture and words))
    Shapley(base=1.0, image=3.5, text=1.5, interaction=3.0, total=6.0)
    """
    neither, picture, words, both = logit(False, False), logit(True, False), logit(False, True), logit(True, True)
    return Shapley(
        base=neither,
        image=((picture - neither) + (both - words)) / 2,
        text=((words - neither) + (both - picture)) / 2,
        interaction=(both - words) - (picture - neither),
        total=both,
    )
