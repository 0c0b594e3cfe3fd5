"""The README of a trained system: what it is, what it was measured with, its figures, what it cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.multitask.data import System, parameters

if TYPE_CHECKING:
    from training.multitask.train import Trained

SOURCES = {
    "memotion": "Memotion 7k (Sharma et al. 2020, SemEval 2020 task 8), split by groups of near-copies; no licence stated in "
    "its copies. Where a meme lies in it twice, its labels agree about as often as by chance (`benchmarks/near_copies.py`); "
    "the winners of the shared task were hardly better than guessing by frequency.",
    "dreaddit": "Dreaddit (Turcan and McKeown 2019), forum posts, official split, published freely by its authors.",
    "harmeme": "HarMeme / Harm-C (Pramanick et al. 2021), COVID-19 memes, official split without near-copies of test memes; no "
    "data licence stated.",
    "axiom": "AxiOM (Mazhar et al. 2025), given out by its authors on request.",
    "restore": "RESTORE (Yadav et al. 2023), given out by its authors on request.",
}
LIMITS = {
    "memotion": "It knows what annotators wrote about memes of 2019, one at a time; for one meme its answers are barely more "
    "than the classes' frequencies. The pictures it learned from are 128 pixels wide.",
    "dreaddit": "It judges how a text reads, in the manner of forum posts. It is no diagnosis and knows nothing of the person "
    "who wrote it; a quotation, a joke or a story reads like the real thing.",
    "harmeme": "It learned from English COVID-19 memes; some targets have fewer than a hundred memes to learn from.",
    "axiom": "It is no diagnosis and knows nothing of the person who made or shared a meme.",
    "restore": "It is no diagnosis and knows nothing of the person who made or shared a meme.",
}
SOURCES["memotion_polarity"] = f"{SOURCES['memotion']} Copies, empty rows and neutral memes are left out."
LIMITS["memotion_polarity"] = LIMITS["memotion"]


def text(system: System, figures: dict[str, Any], trained: Trained) -> str:
    """Markdown."""
    recipe = system.recipe
    lines = [f"# {recipe.name}", "", f"{recipe.title}. {recipe.summary}", ""]
    lines += [f"- Data: {SOURCES.get(recipe.data, recipe.data)} {figures['trained_on_rows']:,} training rows."]
    for side, measured in system.measured_with.items():
        lines.append(f"- {'Pictures' if side == 'image' else 'Words'}: measured with {measured}.")
    size = parameters(trained.networks[0])
    count = len(trained.networks)
    lines.append(
        f"- Fusion: {recipe.fusion.replace('_', ' ')}; {size:,} parameters a network, {count} network{'s' if count > 1 else ''}"
        + (" of a cross-validation by group, which answer together." if count > 1 else ".")
    )
    lines += [f"- Trained by `python -m training fit {recipe.name}`.", "", table(figures), "", note(system), ""]
    lines.append(LIMITS.get(recipe.data, ""))
    return "\n".join(lines).strip() + "\n"


def table(figures: dict[str, Any]) -> str:
    """Macro-F1 and what stands beside it, a line for each task and set of rows."""
    lines = [
        "| task, rows | n | macro-F1 (95% interval) | always the commonest | accuracy | AUROC |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name, row in figures.items():
        if isinstance(row, dict) and "macro_f1" in row:
            auroc = f"{row['auroc']:.3f}" if "auroc" in row else "–"
            lines.append(
                f"| {name} | {row['rows']:,} | {row['macro_f1']:.3f} ({row['macro_f1_low']:.3f} to {row['macro_f1_high']:.3f}) "
                f"| {row['macro_f1_majority']:.3f} | {row['accuracy']:.3f} | {auroc} |"
            )
    return "\n".join(lines)


def note(system: System) -> str:
    """What the figures were and were not chosen on."""
    schedule = system.recipe.schedule
    single = schedule.folds == 1
    unseen = "share of the rows" if single else "fold"
    stopped = (
        f"it was kept at its best epoch on the {unseen} that it did not see, which flatters these figures a little"
        if schedule.keep_best
        else "it was trained for a fixed number of epochs"
    )
    whose = (
        "Figures on the held-out share are of rows that the network did not see, with decisions from the other fifths of them"
        if single
        else "Out-of-fold figures are each of the one network that did not see the row, with decisions from the other folds"
    )
    return (
        f"{whose}; {stopped}. The calibration behind Brier, ECE and the page's probabilities was fitted to all of them. "
        "Validation figures are of what ships; no label of a validation row was used for training, calibration or decisions, "
        "though recipes were compared on them."
    )
