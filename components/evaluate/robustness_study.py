"""What `python -m training robustness` measured, as tables: read from `robustness.json` in the folders of weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # noqa: F401  # see the comment below
import streamlit as st

from components.explore import pixel_attack
from components.shared.escaping import for_markdown
from models import weights
from models.evaluation_files import ROBUSTNESS, metric_cell, read_json, read_json_or_empty
from models.io.samples import samples
from models.robustness.pixel_attack import paint, view

# pandas is imported here because `st.dataframe` would import it in the middle of a run. If a click then started the next run in
# another thread, plotly would draw with a pandas that is not fully imported, and fail.

TITLES = {"flickr8k": "Photographs and captions", "oasis": "Valence of photographs", "hate": "The verdict"}
POISONING = {
    "clean_r10": ("R@10, clean (%)", ".1f"),
    "triggered_r10": ("R@10, with the trigger (%)", ".1f"),
    "clean_pearson": ("Pearson's r, clean", ".3f"),
    "triggered_moved": ("Valence moved by the trigger (median, points)", ".3f"),
    "clean_auroc": ("AUROC, clean", ".3f"),
    "triggered_missed": ("Hateful memes missed with the trigger (share)", ".3f"),
    "clean_r10_chance": ("R@10, guessing (%)", ".3g"),
    "clean_pearson_majority": ("Pearson's r, always the mean", ".3g"),
    "clean_auroc_majority": ("AUROC, guessing", ".3g"),
}
_COLUMNS = {
    "Variant": st.column_config.Column(pinned=True),
    "Median change": st.column_config.NumberColumn(format="%.4f"),
    **{name: st.column_config.NumberColumn(format="percent") for name in ("Fooled", "Poisoned", "By chance")},
}


def studies(root: Path | None = None) -> list[dict[str, Any]]:
    """The studies in the order of their folders; files that cannot be read or drawn are left out."""
    readable = []
    for path in sorted((root or weights.root()).glob(f"*/{ROBUSTNESS}")):
        try:
            content = read_json(path.parent, ROBUSTNESS)
            study = {**content, "folder": path.parent.name, "root": path.parent.parent}
            for read in (attack_rows, poisoning_rows, examples, outdated):
                read(study)  # fails here where it could not be drawn later
            readable.append(study)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return readable


def attack_rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each variant and number of pixels."""
    return [
        {
            "Variant": variant,
            "Pixels": result["pixels"],
            "Rows": result["rows"],
            "Fooled": result["success_rate"],
            "95% interval": f"{result['success_rate_low']:.0%} to {result['success_rate_high']:.0%}",
            "By chance": result.get("random_rate"),
            "Median change": result["median_change"],
            "Median pictures tried": result["median_queries"],
            "Given up": result.get("given_up"),
        }
        for variant, results in study["attack"].items()
        for result in results
    ]


def poisoning_rows(study: dict[str, Any]) -> list[dict[str, Any]]:
    """One row for each variant and share of poisoned training rows: metrics with intervals, and what guessing gives."""
    return [
        {"Variant": variant, "Poisoned": result["share"]}
        | {title: metric_cell(result, key, spec) for key, (title, spec) in POISONING.items() if key in result}
        for variant, results in study.get("poisoning", {}).items()
        for result in results
    ]


def examples(study: dict[str, Any]) -> list[dict[str, Any]]:
    """The example pairs of the project's sample memes, one for each variant and number of pixels; pairs of samples that
    were removed are left out."""
    samples_by_file = {sample.file.name: sample for sample in samples()}
    return [
        {"variant": variant, **pair, "sample": samples_by_file[pair["file"]]}
        for variant, results in study.get("examples", {}).items()
        for pair in results
        if pair["file"] in samples_by_file
    ]


def outdated(study: dict[str, Any]) -> list[str]:
    """Variants whose weights have been trained again since the attack."""
    made_by = [(variant, *item) for variant, names in study.get("weights", {}).items() for item in names.items()]
    cards = {name: read_json_or_empty(study["root"] / name, "config.json") for _, name, _ in made_by}
    return list(dict.fromkeys(v for v, name, identity in made_by if weights.identity_of(cards[name]) != identity))


def draw(root: Path | None = None) -> None:
    """All studies, or how to make one where there is none."""
    all_studies = studies(root)
    if not all_studies:
        command = "`python -m training robustness robustness_hate`"
        st.info(f"No study has been made yet: run {command}.", icon=":material/science:")
        return
    st.caption(for_markdown(all_studies[0]["published"]))
    for study in all_studies:
        st.subheader(TITLES.get(study["task"], study["task"]), anchor=False)
        recipe = study.get("recipe", {})
        description = f"{study['what']} Weights: {study['folder']}; {study['rows']}."
        if {"candidates", "queries"} <= set(recipe):
            description += (
                f" Up to {recipe['queries']} pictures are tried for each, {recipe['candidates']} at a time, after the picture as "
                "it is; “by chance”: the first of them, drawn at random, were enough. A search that got nowhere in half of its "
                "tries is given up."
            )
            only = recipe.get("only", {}).items()
            exceptions = ", ".join(f"{name} {settings['queries']}" for name, settings in only if "queries" in settings)
            description += f" Pictures tried otherwise: {exceptions}." if exceptions else ""
        if "score" in study:
            description += f" The change is that of the {study['score']}."
        st.caption(for_markdown(description))
        if variants := outdated(study):
            st.caption(f":material/history: Measured on earlier weights: {for_markdown(', '.join(variants))}.")
        st.dataframe(attack_rows(study), hide_index=True, width="stretch", column_config=_COLUMNS)
        if poisoning := poisoning_rows(study):
            st.caption(
                "Poisoned training rows: a share of the pictures carries a trigger of pixels and another row's answer; a "
                "light model is fitted anew on the variant's features. With 95% intervals."
            )
            st.dataframe(poisoning, hide_index=True, width="stretch", column_config=_COLUMNS)
        _draw_examples(study)


def _draw_examples(study: dict[str, Any]) -> None:
    """One pair of pictures, picked by variant and number of pixels."""
    pairs = examples(study)
    if not pairs:
        return
    key = f"example-{study['task']}"
    with st.expander("Example pairs", icon=":material/compare:"):
        variants = list(dict.fromkeys(example["variant"] for example in pairs))
        variant = st.segmented_control("Variant", variants, default=variants[0], required=True, key=key)
        by_pixels = {example["pixels"]: example for example in pairs if example["variant"] == variant}
        count = st.segmented_control(
            "Pixels", list(by_pixels), default=next(iter(by_pixels)), required=True, key=f"{key}-pixels"
        )
        example = by_pixels.get(count or 0, next(iter(by_pixels.values())))
        before = view(example["sample"].open())
        pixel_attack.draw_pair(
            (before, paint(before, np.array(example["changed"], float))),
            (f"score {example['before']:.3f}", f"score {example['after']:.3f}"),
            alts=[f"{example['sample'].alt}; {name} the attack" for name in ("before", "after")],
            key=key,
            height=224,
        )
        outcome = "the attack wins" if example["fooled"] else "the answer stands"
        st.caption(
            f"Of our own sample memes the one whose score sank most: after {example['queries']} pictures {outcome}. "
            f"{pixel_attack.where(example['changed'])} The answer turns where the score is below 0. "
            f"Of {example['samples']} samples {example['samples_fooled']} fell. They illustrate; the figures above come from other "
            "pictures, which may not be shown here: `python -m training robustness` leaves pairs of those in `runs/robustness`."
        )
