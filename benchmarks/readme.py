"""Writes the tables of README.md and docs/results.md, from weights/ and benchmarks/results/, and docs/usage.md's session.

python -m benchmarks.latency --json benchmarks/results/latency.json
python -m benchmarks.memory --json benchmarks/results/memory.json
python -m benchmarks.readme
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, fill, read_json
from models.evaluation_files import metric_cell

MEME = "assets/gallery/mondays.webp"
JOINT_ROWS = "flickr8k, validation (stop chosen on these rows)"
AFFECT_ROWS = "cross-validation over 587 training rows (settings chosen here)"
EMOTION_ROWS = "validation (thresholds tuned on these rows)"
EXPRESSION_ROWS = "validation (epoch and temperature chosen on these rows)"
# folder in weights/, rows in its metrics.json, the table's words for them, metric
QUALITY = (
    ("hate_cross_attention", "validation, sentences", "Hate: sentences of six data sets", "auroc"),
    ("hate_cross_attention", "validation, beside", "Hate: the same beside unrelated photographs", "auroc"),
    ("hate_cross_attention", "out of fold, religious_hateful", "Hate: memes about religion", "auroc"),
    ("hate_cross_attention", "out of fold, harmeme", "Harm: HarMeme's COVID-19 memes", "auroc"),
    ("text_emotions", EMOTION_ROWS, "28 emotions in words: GoEmotions", "macro_f1"),
    ("face_expressions", EXPRESSION_ROWS, "7 expressions of faces: FER-2013", "accuracy"),
    ("mental_health_stress", "stress, validation", "Stress in forum posts: Dreaddit", "macro_f1"),
    ("memotion_cross_attention", "memotion-types, out of fold", "Humour, sarcasm, offence, motivation: Memotion", "macro_f1"),
    ("joint_picture", JOINT_ROWS, "A photograph's caption first among 5,000: Flickr8k", "image_to_text_r1"),
    ("joint_picture", JOINT_ROWS, "A caption's photograph first among 1,000: Flickr8k", "text_to_image_r1"),
    ("picture_emotions", AFFECT_ROWS, "Valence of photographs: OASIS", "valence_pearson"),
    ("picture_emotions", AFFECT_ROWS, "Arousal of photographs: OASIS", "arousal_pearson"),
)  # fmt: skip
HEADLINE = QUALITY[:5]
NAMES = {
    "auroc": "AUROC", "macro_f1": "macro-F1", "accuracy": "accuracy", "image_to_text_r1": "R@1 (%)", "text_to_image_r1": "R@1 (%)",
    "valence_pearson": "Pearson's r", "arousal_pearson": "Pearson's r",
}  # fmt: skip


def main() -> None:
    """Rewrite one section in each of the three documents."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    sections = {
        "README.md": ("headline", "\n".join([*quality(ROOT, HEADLINE), "", *speed(ROOT)])),
        "docs/results.md": ("figures", "\n".join([*quality(ROOT, QUALITY), "", *speed(ROOT)])),
        "docs/usage.md": ("session", session()),
    }
    for name, (section, written) in sections.items():
        text = fill((ROOT / name).read_text(encoding="utf-8"), section, written, script="benchmarks.readme")
        (ROOT / name).write_text(text, encoding="utf-8")


def session() -> str:
    """A sample analyzed in the terminal, up to its cautions and times."""
    command = [sys.executable, "-m", "models", "analyze", MEME]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    beginning = output.partition("\nKeep in mind\n")[0]
    return f"```console\n$ python -m models analyze {MEME}\n{beginning}...\n```"


def quality(root: Path, lines: Sequence[tuple[str, str, str, str]]) -> Iterator[str]:
    """The table of metrics as Markdown, a row for each of these lines of QUALITY."""
    yield "| what, on which rows | rows | figure | value (95% interval) | majority baseline, or chance |"
    yield "|---|---:|---|---:|---:|"
    for folder, rows, description, name in lines:
        metrics = read_json(root / "weights" / folder / "metrics.json").get(rows)
        if metrics is None:
            raise SystemExit(f"weights/{folder}/metrics.json has no figures for {rows!r}: mend QUALITY in {__file__}.")
        digits = 1 if NAMES[name].endswith("(%)") else 3
        cell = metric_cell(metrics, name, f".{digits}f")
        # Pearson's r has no baseline in the file: that of a constant is 0.
        baseline = metrics.get(f"{name}_majority", metrics.get(f"{name}_chance", 0.0))
        count = metrics.get("rows") or int(re.search(r"\d+", rows)[0])  # type: ignore[index]  # photographs: in the name
        yield f"| {description} | {count:,} | {NAMES[name]} | {cell} | {baseline:.{digits}f} |"


def speed(root: Path) -> Iterator[str]:
    """The table of times and memory as Markdown."""
    latency, memory = (read_json(root / "benchmarks" / "results" / f"{name}.json") for name in ("latency", "memory"))
    yield f"| on {latency['threads']} CPU cores | |"
    yield "|---|---:|"
    yield f"| verdict, emotions and faces, caption given | {latency['analyze_ms']:.0f} ms |"
    stack = f"{latency['stack_ms']:.0f} ms ({latency['times_faster_than_stack']:.1f} times as long)"
    yield f"| CLIP ViT-B/32, RoBERTa-base and ViT-base on the same meme | {stack} |"
    yield f"| the same with the words read and everything explained | {latency['everything_s']:.2f} s |"
    if "clip_analyze_ms" in latency:
        clip = f"{latency['clip_analyze_ms']:.0f} ms ({latency['clip_times_faster_than_stack']:.1f} times as fast as the stack)"
        yield f"| profile clip: verdict, emotions and faces, caption given | {clip} |"
    yield f"| first verdict after a cold start | {latency['first_verdict_s']:.1f} s |"
    yield f"| memory of the app after {memory['memes']:.0f} memes | {memory['private_mb']:.0f} MB |"


if __name__ == "__main__":
    main()
