"""What `python -m training robustness` measured, as tables: read from `robustness.json` in the folders of weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import streamlit as st

from components.escaping import for_markdown
from models import weights

FILE = "robustness.json"
TITLES = {"flickr8k": "Photographs and captions", "oasis": "Valence of photographs", "hate": "The verdict"}
CLEAN = {
    "clean_r10": "R@10, clean (%)",
    "triggered_r10": "R@10, with the trigger (%)",
    "clean_pearson": "Pearson's r, clean",
    "triggered_moved": "Valence moved by the trigger (median, points)",
    "clean_auroc": "AUROC, clean",
    "triggered_missed": "Hateful memes missed with the trigger (share)",
}


def studies(root: Path | None = None) -> list[dict[str, Any]]:
    """The studies there are, in the order of their folders; files that cannot be read are left out."""
    found = []
    for path in sorted((root or weights.root()).glob(f"*/{FILE}")):
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            found.append({**held, "folder": path.parent.name, "attack": dict(held["attack"])})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def attack_rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each variant and number of pixels."""
    return [
        {
            "Variant": variant,
            "Pixels": one["pixels"],
            "Rows": one["rows"],
            "Fooled": one["success_rate"],
            "95% interval": f"{one['success_rate_low']:.0%} to {one['success_rate_high']:.0%}",
            "Median change": one["median_change"],
            "Median pictures tried": one["median_queries"],
        }
        for variant, lines in study["attack"].items()
        for one in lines
    ]


def poisoning_rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each variant and share of poisoned training rows."""
    return [
        {
            "Variant": variant,
            "Poisoned": one["share"],
            **{CLEAN.get(key, key): one[key] for key in one if key != "share"},
        }
        for variant, lines in study.get("poisoning", {}).items()
        for one in lines
    ]


def draw(root: Path | None = None) -> None:
    """All studies; where there is none, how to make one."""
    found = studies(root)
    if not found:
        st.info(
            "No study has been made yet: run `python -m training robustness robustness_hate`.",
            icon=":material/science:",
        )
        return
    percent = {name: st.column_config.NumberColumn(format="percent") for name in ("Fooled", "Poisoned")}
    numbers = {"Median change": st.column_config.NumberColumn(format="%.3f")}
    for study in found:
        st.subheader(TITLES.get(study["task"], study["task"]), anchor=False)
        st.caption(for_markdown(f"{study['what']} Weights: {study['folder']}; {study['rows']}. {study['published']}"))
        st.dataframe(attack_rows(study), hide_index=True, width="stretch", column_config=percent | numbers)
        lines = poisoning_rows(study)
        if lines:
            st.caption(
                "Poisoned training rows: a share of the pictures carries a trigger of pixels and another row's answer; a "
                "light model is fitted anew on the variant's features."
            )
            shown = {name: st.column_config.NumberColumn(format="%.3f") for name in CLEAN.values()}
            st.dataframe(lines, hide_index=True, width="stretch", column_config=percent | shown)
