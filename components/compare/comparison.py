"""Systems side by side on one meme: what each reads, answers and takes, where they disagree, and what the verdict is.

Systems, picture and words stay for the visit, also while other pages are looked at. Widgets keep their own values; a file
cannot be put back into its uploader, so it is kept in the session, with a way to remove it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from components.shared import failures, lenses
from components.shared.escaping import for_markdown, shorten
from components.shared.intake import KINDS
from components.shared.verdict import NAMES, percent
from components.shared.visit import took
from models import weights
from models.analysis import Meme
from models.errors import SubtextError
from models.evaluation_files import read_json
from models.io.samples import samples
from models.runtime.once import once

if TYPE_CHECKING:
    from PIL import Image

    from models.analyzer import Analyzer
    from models.classifiers.multitask import Answer, MultitaskModel
    from models.encoders.mini import MiniEncoder

VERDICT_TITLE = "Subtext's own verdict"
READS = {
    "mini": "tokens of the shared towers", "pieces": "word pieces, a tower of its own", "pixels": "the picture itself",
    "words": "words, embeddings of its own",
}  # fmt: skip
PICTURE, _FILE = "compare-picture", "compare-file"  # the uploader, and its file in the session


def ask_for_meme() -> tuple[bytes | None, str]:
    """The bytes of a picture, if one is given, and its words. An upload counts before a sample, which may bring its words."""
    left, right = st.columns(2, gap="medium")
    with left:
        st.file_uploader("A picture", type=KINDS, max_upload_size=10, key=PICTURE, on_change=_uploaded)
        name, picture = st.session_state.get(_FILE, ("", None))
        if picture is not None and st.session_state.get(PICTURE) is None:
            label = f"Remove {for_markdown(shorten(name, 40))}"
            st.button(label, icon=":material/close:", on_click=_uploaded, key="compare-remove")
        gallery = {sample.label: sample for sample in samples()}
        given = ""
        sample = st.selectbox(
            "Or a sample", list(gallery), None, placeholder="No sample", key="compare-sample", persist_state="session"
        )
        if sample is not None and picture is not None:
            st.caption(
                ":material/info: The picture counts as long as there is one: remove it to compare on the sample."
            )
        elif sample is not None:
            picture, given = gallery[sample].file.read_bytes(), gallery[sample].words or ""
    empty = "Left empty, they are read from the picture"
    words = right.text_area("Its words", key="compare-words", height=120, placeholder=empty, persist_state="session")
    return picture, words if words.strip() else given


def _uploaded() -> None:
    file = st.session_state.get(PICTURE)
    st.session_state[_FILE] = ("", None) if file is None else (file.name, file.getvalue())


@dataclass(frozen=True)
class ClassAnswer:
    """A predicted class. `probability` is that of the class `of`: of two classes the second, else the predicted (then "")."""

    label: str
    probability: float
    of: str = ""


@dataclass(frozen=True)
class ModelAnswers:
    """A model's answer to each question and the tasks they belong to, or the sentence that says why there are none.

    inputs: what it reads, in words. ms: how long it took, in milliseconds.
    """

    title: str
    inputs: str = ""
    ms: float = 0.0
    answers: dict[str, ClassAnswer] = field(default_factory=dict)
    problem: str = ""
    tasks: frozenset[str] = frozenset()


@once
def load_model(name: str) -> MultitaskModel:
    """A multitask model, with the encoder that all of them share."""
    from models.classifiers.multitask import MultitaskModel

    return MultitaskModel.load(name, shared_encoder())


@once
def shared_encoder() -> MiniEncoder:
    """The encoder of profile `mini`."""
    from models.encoders.mini import MiniEncoder

    return MiniEncoder()


@dataclass(frozen=True)
class Choice:
    """A system that can be picked."""

    title: str
    tasks: frozenset[str]


@st.cache_data(show_spinner=False, max_entries=1, ttl=60)
def choices() -> dict[str, Choice]:
    """The multitask models in `weights/` by name."""
    from models.classifiers import multitask

    choices = {}
    for name in multitask.names():
        card = read_json(weights.root() / name, "config.json")
        title = multitask.titled(str(card.get("title", name)), card.get("measured_with", {}))
        choices[name] = Choice(title, frozenset(str(head["name"]) for head in card.get("heads", [])))
    return choices


def preferred(known: Mapping[str, Choice]) -> list[str]:
    """The names that are picked at first: Memotion's models, or else all but those that answer about mental health."""
    names = [name for name, choice in known.items() if not choice.tasks & lenses.MENTAL_HEALTH]
    return [name for name in names if name.startswith("memotion")] or names


def describe(model: MultitaskModel) -> str:
    """What the model reads, in words."""
    sides = {"image": "picture", "text": "words"}
    return "; ".join(
        f"{sides[side]}: {READS.get(how['reads'], how['reads'])}, {'frozen' if how.get('frozen') else 'trained along'}"
        for side, how in model.inputs.items()
    )


def ask(name: str, title: str, image: Image.Image | None, text: str) -> ModelAnswers:
    """The answers of one multitask model on the meme; an error becomes its `problem`."""
    try:
        model = load_model(name)
        if not ((image is not None and model.reads("image")) or (text.strip() and model.reads("text"))):
            side = "words" if model.reads("text") else "a picture"
            return ModelAnswers(title, describe(model), problem=f"It reads {side}, and there is none.")
        start = time.perf_counter()
        answers = model.answers(model.logits([image], [text]))[0]
        ms = (time.perf_counter() - start) * 1000
        return ModelAnswers(title, describe(model), ms, by_question(answers), tasks=frozenset(model.tasks))
    except SubtextError as error:
        return ModelAnswers(title, problem=str(error))


def by_question(answers: Sequence[Answer]) -> dict[str, ClassAnswer]:
    """The answers by their questions in words."""
    by_name = {}
    for answer in answers:
        of = list(answer.probabilities)[1] if len(answer.probabilities) == 2 else ""
        name = _in_words(answer.target, answer.task)
        by_name[name] = ClassAnswer(answer.predicted, answer.probabilities[of or answer.predicted], of)
    return by_name


def _in_words(question: str, task: str) -> str:
    """Memotion asks of humour and the like whether and how much; elsewhere the task is named where it says more."""
    plain = question.replace("_", " ")
    if task == "memotion-types":
        return f"{plain}: yes or no"
    if task == f"memotion-{question}" and question not in {"sentiment", "polarity"}:
        return f"{plain}: how much"
    return plain if question in task else f"{plain} · {task}"


def verdict(analyzer: Analyzer, meme: Meme) -> ModelAnswers:
    """The app's own verdict in the same form. Its number is the calibrated probability of hate, whatever the label."""
    profile = f"picture and words together, by the profile {analyzer.info.name}"
    try:
        start = time.perf_counter()
        judged = analyzer.score([meme])[0]
        ms = (time.perf_counter() - start) * 1000
        answers = {"hateful or not": ClassAnswer(NAMES[judged.label], judged.probability, "hate")}
        return ModelAnswers(VERDICT_TITLE, profile, ms, answers)
    except SubtextError as error:
        return ModelAnswers(VERDICT_TITLE, profile, problem=str(error))


def _by_label(models: Sequence[ModelAnswers]) -> dict[str, dict[str, list[ModelAnswers]]]:
    """For each question the models that answer it, by the label that they give."""
    questions: dict[str, dict[str, list[ModelAnswers]]] = {}
    for model in models:
        for question, answer in model.answers.items():
            questions.setdefault(question, {}).setdefault(answer.label, []).append(model)
    return questions


def answer_rows(models: Sequence[ModelAnswers]) -> list[dict[str, str]]:
    """One row for each question and label, as Markdown, with the models that give it and their probabilities."""
    rows: list[dict[str, str]] = []
    for question, labels in _by_label(models).items():
        of = next(iter(labels.values()))[0].answers[question].of
        unit = f" :small[(% for {for_markdown(of.replace('_', ' '))})]" if of else ""
        rows += [
            {
                "Question": "" if number else for_markdown(question) + unit,
                "Answer": f"**{for_markdown(label.replace('_', ' '))}**",
                "Given by": ", ".join(
                    f"{for_markdown(model.title.removeprefix('Memotion: '))} **{percent(model.answers[question].probability)}**"
                    for model in by
                ),
            }
            for number, (label, by) in enumerate(labels.items())
        ]
    return rows


def model_rows(models: Sequence[ModelAnswers]) -> list[dict[str, str]]:
    """One row for each model: what it reads and how long it took."""
    return [
        {
            "System": for_markdown(model.title),
            "Reads": for_markdown(model.inputs or "–"),
            "Time": took(model.ms).replace(" ", "\u00a0") if model.answers else "–",
        }
        for model in models
    ]


def summary(models: Sequence[ModelAnswers]) -> str:
    """On how many of the questions that several models answer they disagree."""
    shared = [labels for labels in _by_label(models).values() if sum(map(len, labels.values())) > 1]
    split = sum(len(labels) > 1 for labels in shared)
    if not shared:
        return "No two of these systems answer the same question."
    if not split:
        return f"They agree on all {len(shared)} questions that several of them answer."
    return (
        f"**They disagree on {split} of the {len(shared)} questions that several of them answer**: those with more than one "
        "answer below."
    )


def draw(models: Sequence[ModelAnswers]) -> None:
    """Two tables whose cells wrap, since a phone has no room for one column per model."""
    for model in models:
        if model.problem:
            st.warning(failures.markdown(f"{model.title}: {model.problem}"), icon=":material/info:")
    st.markdown(summary(models))
    st.table(answer_rows(models), border="horizontal")
    titles = [f"“{for_markdown(model.title)}”" for model in models if model.tasks & lenses.MENTAL_HEALTH]
    if titles:  # what an answer about mental health is not, and where to find help
        whose = f"{' and '.join(titles)} {'answers' if len(titles) == 1 else 'answer'}"
        with st.container(border=True):
            st.markdown(f"What {whose} tells how this *reads* next to what was learned from. {lenses.CARE.strip()}")
    st.caption(
        "Beside each system: the probability of what the question names, else of the answer. Each system has cut-offs of its own, "
        "set so that answers come as often as in the training rows: two may answer differently at nearly the same probability, "
        "and an answer can have less than half. How little better than guessing some of these systems are stands on the "
        "page Evaluation."
    )
    st.table(model_rows(models), border="horizontal")
