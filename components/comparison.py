"""Systems side by side on one meme: what each reads, answers and takes, and where they disagree."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from components.stages import took
from models.errors import SubtextError

if TYPE_CHECKING:
    from PIL import Image

    from models.systems import Answer, TrainedSystem

VERDICT = "hate_cross_attention"
READS = {
    "mini": "tokens of the shared towers", "pieces": "word pieces, a tower of its own", "pixels": "the picture itself",
    "words": "words, embeddings of its own",
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One system's answers by question, or the sentence that says why there are none."""

    name: str
    title: str
    inputs: str
    ms: float
    answers: dict[str, tuple[str, float]]
    problem: str = ""


@st.cache_resource(show_spinner=False, max_entries=16)
def system(name: str) -> TrainedSystem:
    """The system, with the towers that all of them share."""
    from models.systems import TrainedSystem

    return TrainedSystem.load(name, towers())


@st.cache_resource(show_spinner=False, max_entries=1)
def towers() -> Any:
    """The shared towers of `mini`."""
    from models.encoders.mini import MiniEncoder

    return MiniEncoder()


@st.cache_data(show_spinner=False, max_entries=1, ttl=60)
def choices() -> dict[str, str]:
    """Names of the systems in `weights/` and their titles."""
    import json

    from models import systems, weights

    found = {}
    for name in systems.names():
        card = json.loads((weights.root() / name / "config.json").read_text(encoding="utf-8"))
        found[name] = str(card.get("title", name))
    return found


def describe(one: TrainedSystem) -> str:
    """What it reads, in words."""
    sides = {"image": "picture", "text": "words"}
    return "; ".join(
        f"{sides[side]}: {READS.get(how['reads'], how['reads'])}{', frozen' if how.get('frozen') else ', trained along'}"
        for side, how in one.inputs.items()
    )


def ask(name: str, title: str, image: Image.Image | None, text: str) -> Compared:
    """One system on the meme; what goes wrong is told in its place."""
    try:
        one = system(name)
        given = [side for side, there in (("image", image is not None), ("text", bool(text.strip()))) if there]
        if not any(one.reads(side) for side in given):
            side = "words" if one.reads("text") else "a picture"
            return Compared(name, title, describe(one), 0.0, {}, f"It reads {side}, and there is none.")
        start = time.perf_counter()
        answers = one.answers(one.logits([image], [text]))[0]
        ms = (time.perf_counter() - start) * 1000
        return Compared(name, title, describe(one), ms, by_question(answers))
    except SubtextError as error:
        return Compared(name, title, "", 0.0, {}, str(error))


def by_question(answers: Sequence[Answer]) -> dict[str, tuple[str, float]]:
    """`QUESTION (TASK)` to the class given and its probability."""
    return {f"{one.question} · {one.task}": (one.given, one.probabilities[one.given]) for one in answers}


def disagreements(found: Sequence[Compared]) -> list[tuple[str, dict[str, list[str]]]]:
    """Questions that several systems answer, and not all of them alike: who gives which class."""
    split = []
    for question in dict.fromkeys(question for one in found for question in one.answers):
        given: dict[str, list[str]] = {}
        for one in found:
            if question in one.answers:
                given.setdefault(one.answers[question][0], []).append(one.title)
        if len(given) > 1:
            split.append((question, given))
    return split


def draw(found: Sequence[Compared]) -> None:
    """A table with a column a system; then where they disagree."""
    titles = {one.name: one.title for one in found}
    rows: list[dict[str, str]] = [
        {"": "Reads"} | {titles[one.name]: one.inputs or "–" for one in found},
        {"": "Time"} | {titles[one.name]: took(one.ms) if one.answers else "–" for one in found},
    ]
    for question in dict.fromkeys(question for one in found for question in one.answers):
        row = {"": question}
        for one in found:
            answer = one.answers.get(question)
            row[titles[one.name]] = "–" if answer is None else f"{answer[0].replace('_', ' ')} ({answer[1]:.0%})"
        rows.append(row)
    st.dataframe(rows, hide_index=True, width="stretch", height=36 * (len(rows) + 1) + 4)
    st.caption(
        "In brackets: the probability of the answer. An answer can have less than half: each question has cut-offs of its own, "
        "set so that answers come as often as in the training rows. “humour · memotion-types” asks whether, “memotion-humour” "
        "how much. How little better than guessing some of these systems are stands on the page Evaluation."
    )
    for one in found:
        if one.problem:
            st.warning(f"{one.title}: {one.problem}", icon=":material/info:")
    split = disagreements(found)
    st.subheader("Where they disagree", anchor=False)
    if not split:
        st.markdown("Nowhere: on every question that several of them answer, they give the same class.")
    for question, given in split:
        told = "; ".join(f"**{answer.replace('_', ' ')}**: {', '.join(names)}" for answer, names in given.items())
        st.markdown(f"- {question}: {told}")
