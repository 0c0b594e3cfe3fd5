"""The Evaluation page's tables of what was trained on photographs: search, valence and arousal, people's emotions.

Their figures are recalls, ranks, correlations and precisions, which the table of the classifiers has no columns for. All of
them are read from `metrics.json` in the folders of weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from components.evaluate import published
from components.shared.escaping import for_markdown
from models import weights
from models.evaluation_files import METRICS, metric_cell, read_json

WAYS = {"image_to_text": "Picture to caption", "text_to_image": "Caption to picture"}
RECALLS = {f"{way}_r{at}": f"{title}, R@{at} (%)" for way, title in WAYS.items() for at in (1, 5, 10)}
RANKS = {f"{way}_median_rank": f"{title}, median rank" for way, title in WAYS.items()}
RATINGS = {
    f"{name}_{kind}": f"{name.capitalize()}, {title}"
    for name in ("valence", "arousal", "dominance")
    for kind, title in (("pearson", "Pearson's r"), ("mae", "mean absolute error"))
}


@dataclass(frozen=True)
class Shelf:
    """One folder's figures: `figures` names what is shown, in order; `digits` after the point; `guess` heads the baseline."""

    folder: str
    title: str
    summary: str
    figures: dict[str, str]
    digits: int
    guess: str


SHELVES = (
    Shelf(
        "joint_picture",
        "Search: pictures and captions in one space",
        "Each picture is sought among all captions and each caption among all pictures; R@k: the share whose partner is among "
        "the first k. Matching: a caption's own picture lies nearer than another one.",
        {**RECALLS, **RANKS, "matching_accuracy": "Matching accuracy (%)"},
        1,
        "Guessing",
    ),
    Shelf(
        "picture_emotions",
        "Valence and arousal of photographs",
        "Against the mean ratings of OASIS's photographs, from 1 to 7.",
        RATINGS,
        3,
        "Always the mean",
    ),
    Shelf(
        "joint_emotic",
        "What people in photographs feel",
        "EMOTIC's 26 categories and ratings from 1 to 10.",
        {"mean_average_precision": "Mean average precision", **RATINGS},
        3,
        "The same for everybody",
    ),
)


def rows(shelf: Shelf, metrics: dict[str, Any]) -> list[dict[str, str]]:
    """A line a figure, a column for each entry of `metrics.json` that has any, then guessing and what others published."""
    entries = {
        name: entry for name, entry in metrics.items() if isinstance(entry, dict) and set(entry) & set(shelf.figures)
    }
    others = {(entry.system, entry.source): dict[str, float]() for entry in published.of(shelf.folder)}
    for entry in published.of(shelf.folder):
        others[entry.system, entry.source][entry.figure] = entry.value
    lines = []
    for key, title in shelf.figures.items():
        if not any(key in entry for entry in entries.values()):
            continue
        row = {"Figure": title}
        row |= {_short(name): metric_cell(entry, key, f".{shelf.digits}f") for name, entry in entries.items()}
        baselines = [
            entry[end] for entry in entries.values() for end in (f"{key}_chance", f"{key}_majority") if end in entry
        ]
        row[shelf.guess] = f"{baselines[0]:.{shelf.digits}f}" if baselines else "–"
        for (system, source), reported in others.items():
            row[f"{system} ({source})"] = f"{reported[title]:.{shelf.digits}f}" if title in reported else "–"
        lines.append(row)
    return lines


def any_there() -> bool:
    """Whether `draw` has anything to show."""
    return bool(_shown())


def _shown() -> list[tuple[Shelf, list[dict[str, str]]]]:
    tables = [(shelf, rows(shelf, metrics)) for shelf in SHELVES if (metrics := _metrics(shelf.folder))]
    return [(shelf, lines) for shelf, lines in tables if lines]


def draw() -> None:
    """The tables of the folders that there are; nothing where there is none."""
    st.header("Photographs", anchor=False)
    for shelf, lines in _shown():
        st.subheader(shelf.title, anchor=False)
        st.caption(for_markdown(f"{shelf.summary} Weights: {shelf.folder}. With 95% intervals."))
        st.table(lines, hide_index=True)  # whose headings wrap: they say which rows a figure is of
        if published.of(shelf.folder):
            st.caption("Others' figures are on their own test rows, ours on rows named here: compare them with care.")


def _short(entry: str) -> str:
    """`flickr8k, validation, baseline` as `Validation, baseline`: the table says which data set it is about."""
    first, comma, rest = entry.partition(", ")
    text = rest if comma and first in {"flickr8k", "oasis", "emotic"} else entry
    return text[:1].upper() + text[1:]


def _metrics(folder: str) -> dict[str, Any]:
    """Empty where the file is missing or damaged: the page has told of damaged ones already."""
    try:
        return read_json(weights.root() / folder, METRICS)
    except (OSError, ValueError):
        return {}
