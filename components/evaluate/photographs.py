"""The Evaluation page's tables of what was trained on photographs: search, valence and arousal, people's emotions.

Their figures are recalls, ranks, correlations and precisions, which the table of the classifiers has no columns for. All of
them are read from `metrics.json` in the folders of weights; `photographs.toml` says which are shown.
"""

import tomllib
from pathlib import Path
from typing import Any

import streamlit as st

from components.evaluate import published
from components.shared.escaping import for_markdown
from models import weights
from models.evaluation_files import METRICS, metric_cell, read_json_or_empty

SHELVES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["shelves"]


def rows(shelf: dict[str, Any]) -> list[dict[str, str]]:
    """A line a figure, a column for each entry of `metrics.json` that has any, then guessing and what others published."""
    metrics = read_json_or_empty(weights.root() / shelf["folder"], METRICS)
    entries = {
        _short(name): entry
        for name, entry in metrics.items()
        if isinstance(entry, dict) and set(entry) & set(shelf["figures"])
    }
    others: dict[str, dict[str, float]] = {}
    for result in published.of(shelf["folder"]):
        others.setdefault(f"{result.system} ({result.source})", {})[result.figure] = result.value
    spec = f".{shelf['digits']}f"
    lines = []
    for key, title in shelf["figures"].items():
        if any(key in entry for entry in entries.values()):
            ends = (f"{key}_chance", f"{key}_majority")
            baselines = [f"{entry[end]:{spec}}" for entry in entries.values() for end in ends if end in entry]
            line = {"Figure": title} | {name: metric_cell(entry, key, spec) for name, entry in entries.items()}
            line[shelf["guess"]] = baselines[0] if baselines else "–"
            for system, reported in others.items():
                line[system] = f"{reported[title]:{spec}}" if title in reported else "–"
            lines.append(line)
    return lines


def tables() -> list[tuple[dict[str, Any], list[dict[str, str]]]]:
    """The shelves whose folders have any of their figures, with the rows of their tables."""
    return [(shelf, lines) for shelf in SHELVES if (lines := rows(shelf))]


def draw() -> None:
    """The tables of the folders that there are; nothing where there is none."""
    for shelf, lines in tables():
        st.subheader(shelf["title"], anchor=False)
        st.caption(for_markdown(f"{shelf['summary']} Weights: {shelf['folder']}. With 95% intervals."))
        st.table(lines, hide_index=True)  # whose headings wrap: they say which rows a figure is of
        if published.of(shelf["folder"]):
            st.caption(published.WITH_CARE)


def _short(entry: str) -> str:
    """`flickr8k, validation, baseline` as `Validation, baseline`: the table says which data set it is about."""
    first, comma, rest = entry.partition(", ")
    text = rest if comma and first in {"flickr8k", "oasis", "emotic"} else entry
    return text[:1].upper() + text[1:]
