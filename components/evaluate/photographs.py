"""The Evaluation page's tables of models trained on photographs: search, valence and arousal, people's emotions.

Their metrics are recalls, ranks, correlations and precisions, for which the table of classifiers has no columns. All of
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

TABLES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["tables"]


def rows(table: dict[str, Any]) -> list[dict[str, str]]:
    """One row per metric; columns: each entry of `metrics.json` that has any of them, guessing, what others published."""
    metrics = read_json_or_empty(weights.root() / table["folder"], METRICS)
    entries = {
        _short(name): entry
        for name, entry in metrics.items()
        if isinstance(entry, dict) and set(entry) & set(table["figures"])
    }
    others: dict[str, dict[str, float]] = {}
    for result in published.of(table["folder"]):
        others.setdefault(f"{result['system']} ({result['source']})", {})[result["figure"]] = result["value"]
    spec = f".{table['digits']}f"
    lines = []
    for key, title in table["figures"].items():
        if any(key in entry for entry in entries.values()):
            ends = (f"{key}_chance", f"{key}_majority")
            baselines = [f"{entry[end]:{spec}}" for entry in entries.values() for end in ends if end in entry]
            line = {"Figure": title} | {name: metric_cell(entry, key, spec) for name, entry in entries.items()}
            line[table["guess"]] = baselines[0] if baselines else "–"
            for system, reported in others.items():
                line[system] = f"{reported[title]:{spec}}" if title in reported else "–"
            lines.append(line)
    return lines


def tables() -> list[tuple[dict[str, Any], list[dict[str, str]]]]:
    """The tables whose folders have any of their metrics, with their rows."""
    return [(table, lines) for table in TABLES if (lines := rows(table))]


def draw() -> None:
    """The tables of the folders that are in `weights/`."""
    for table, lines in tables():
        st.subheader(table["title"], anchor=False)
        st.caption(for_markdown(f"{table['summary']} Weights: {table['folder']}. With 95% intervals."))
        st.table(lines, hide_index=True)  # its headings wrap: they name the rows that were measured
        if published.of(table["folder"]):
            st.caption(published.WITH_CARE)


def _short(entry: str) -> str:
    """`flickr8k, validation, baseline` as `Validation, baseline`: the table says which data set it is about."""
    first, comma, rest = entry.partition(", ")
    text = rest if comma and first in {"flickr8k", "oasis", "emotic"} else entry
    return text[:1].upper() + text[1:]
