"""Systems side by side on one meme: what each reads, answers and takes, where they disagree, and what the verdict is."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from components.shared import lenses
from components.shared.escaping import for_markdown
from components.shared.stages import took
from components.shared.verdict import NAMES, percent
from models.analysis import Meme
from models.errors import SubtextError

if TYPE_CHECKING:
    from PIL import Image

    from models.analyzer import Analyzer
    from models.classifiers.multitask import Answer, MultitaskModel

VERDICT = "hate_cross_attention"
VERDICT_TITLE = "Subtext's own verdict"
HATE = "hateful or not"
READS = {
    "mini": "tokens of the shared towers", "pieces": "word pieces, a tower of its own", "pixels": "the picture itself",
    "words": "words, embeddings of its own",
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A class given, and how probable `of` is: of two classes always the same one, else the class given (then empty)."""

    given: str
    probability: float
    of: str = ""


@dataclass(frozen=True)
class Compared:
    """One system's answers by question and the tasks they are to, or the sentence that says why there are none."""

    name: str
    title: str
    inputs: str
    ms: float
    answers: dict[str, Told]
    problem: str = ""
    tasks: frozenset[str] = frozenset()


@st.cache_resource(show_spinner=False, max_entries=16)
def system(name: str) -> MultitaskModel:
    """The system, with the towers that all of them share."""
    from models.classifiers.multitask import MultitaskModel

    return MultitaskModel.load(name, towers())


@st.cache_resource(show_spinner=False, max_entries=1)
def towers() -> Any:
    """The shared towers of `mini`."""
    from models.encoders.mini import MiniEncoder

    return MiniEncoder()


@dataclass(frozen=True)
class Choice:
    """A system that can be picked."""

    title: str
    tasks: frozenset[str]


@st.cache_data(show_spinner=False, max_entries=1, ttl=60)
def choices() -> dict[str, Choice]:
    """The systems in `weights/` by name."""
    import json

    from models import weights
    from models.classifiers import multitask

    found = {}
    for name in multitask.names():
        card = json.loads((weights.root() / name / "config.json").read_text(encoding="utf-8"))
        tasks = frozenset(str(head["name"]) for head in card.get("heads", []))
        found[name] = Choice(multitask.titled(str(card.get("title", name)), card.get("measured_with", {})), tasks)
    return found


def preferred(known: Mapping[str, Choice]) -> list[str]:
    """Those that are asked before anybody picks: Memotion's, or else all; about mental health none answers unasked."""
    unasked = [name for name, one in known.items() if not one.tasks & lenses.MENTAL_HEALTH]
    return [name for name in unasked if name.startswith("memotion")] or unasked


def describe(one: MultitaskModel) -> str:
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
        tasks = frozenset(answer.task for answer in answers)
        return Compared(name, title, describe(one), ms, by_question(answers), tasks=tasks)
    except SubtextError as error:
        return Compared(name, title, "", 0.0, {}, str(error))


def by_question(answers: Sequence[Answer]) -> dict[str, Told]:
    """What is asked, in words, to what was told."""
    found = {}
    for one in answers:
        of = list(one.probabilities)[1] if len(one.probabilities) == 2 else ""
        told = Told(one.given, one.probabilities[of or one.given], of)
        found[_asked(one.question, one.task)] = told
    return found


def _asked(question: str, task: str) -> str:
    """Memotion asks of humour and the like whether and how much; elsewhere the task is named where it says more."""
    plain = question.replace("_", " ")
    if task == "memotion-types":
        return f"{plain}: yes or no"
    if task == f"memotion-{question}" and question not in {"sentiment", "polarity"}:
        return f"{plain}: how much"
    return plain if question in task else f"{plain} · {task}"


def disagreements(found: Sequence[Compared]) -> list[tuple[str, dict[str, list[str]]]]:
    """Questions that several systems answer, and not all of them alike: who gives which class."""
    split = []
    for question in dict.fromkeys(question for one in found for question in one.answers):
        given: dict[str, list[str]] = {}
        for one in found:
            if question in one.answers:
                given.setdefault(one.answers[question].given, []).append(one.title)
        if len(given) > 1:
            split.append((question, given))
    return split


def verdict(analyzer: Analyzer, meme: Meme) -> Compared:
    """The app's own answer in the form of the others'. Its number is the calibrated probability of hate, whatever it answers."""
    profile = f"picture and words together, by the profile {analyzer.info.name}"
    try:
        start = time.perf_counter()
        judged = analyzer.score([meme])[0]
        ms = (time.perf_counter() - start) * 1000
        return Compared(
            VERDICT, VERDICT_TITLE, profile, ms, {HATE: Told(NAMES[judged.label], judged.probability, "hate")}
        )
    except SubtextError as error:
        return Compared(VERDICT, VERDICT_TITLE, profile, 0.0, {}, str(error))


def short(title: str) -> str:
    """A system's name where many of them stand together, as Markdown."""
    return for_markdown(title.removeprefix("Memotion: "))


def answer_rows(found: Sequence[Compared]) -> list[dict[str, str]]:
    """A line a question and answer, as Markdown: who gives it, and how probable it is to them. Questions on which they
    disagree have several lines."""
    rows: list[dict[str, str]] = []
    for question in dict.fromkeys(question for one in found for question in one.answers):
        given: dict[str, list[str]] = {}
        for one in found:
            if question in one.answers:
                told = one.answers[question]
                given.setdefault(told.given, []).append(f"{short(one.title)} **{percent(told.probability)}**")
        two = next((one.answers[question].of for one in found if question in one.answers), "")
        of = f" :small[(% for {for_markdown(two.replace('_', ' '))})]" if two else ""
        rows += [
            {
                "Question": "" if number else for_markdown(question) + of,
                "Answer": f"**{for_markdown(answer.replace('_', ' '))}**",
                "Given by": ", ".join(by),
            }
            for number, (answer, by) in enumerate(given.items())
        ]
    return rows


def system_rows(found: Sequence[Compared]) -> list[dict[str, str]]:
    """A line a system: what it reads and how long it took."""
    return [
        {
            "System": for_markdown(one.title),
            "Reads": for_markdown(one.inputs or "–"),
            "Time": took(one.ms).replace(" ", "\u00a0") if one.answers else "–",
        }
        for one in found
    ]


def summary(found: Sequence[Compared]) -> str:
    """On how many of the questions that several of them answer they disagree."""
    asked = [question for one in found for question in one.answers]
    several = len({question for question in asked if asked.count(question) > 1})
    split = len(disagreements(found))
    if not several:
        return "No two of these systems answer the same question."
    if not split:
        return f"They agree on all {several} questions that several of them answer."
    return (
        f"**They disagree on {split} of the {several} questions that several of them answer**: those with more than one "
        "answer below."
    )


def care(found: Sequence[Compared]) -> None:
    """Once, however many systems answer about mental health: what such an answer is not, and where to find help."""
    titles = [f"“{for_markdown(one.title)}”" for one in found if one.tasks & lenses.MENTAL_HEALTH]
    if titles:
        whose = f"{' and '.join(titles)} {'answers' if len(titles) == 1 else 'answer'}"
        with st.container(border=True):
            st.markdown(f"What {whose} tells how this *reads* next to what was learned from. {lenses.CARE.strip()}")


def draw(found: Sequence[Compared]) -> None:
    """Tables that wrap instead of being cut, since a phone has no room for a column a system."""
    for one in found:
        if one.problem:
            st.warning(f"{one.title}: {one.problem}", icon=":material/info:")
    st.markdown(summary(found))
    st.table(answer_rows(found), border="horizontal")
    care(found)
    st.caption(
        "Beside each system: the probability of what the question names, else of the answer. Each system has cut-offs of its own, "
        "set so that answers come as often as in the training rows: two may answer differently at nearly the same probability, "
        "and an answer can have less than half. How little better than guessing some of these systems are stands on the "
        "page Evaluation."
    )
    st.table(system_rows(found), border="horizontal")
