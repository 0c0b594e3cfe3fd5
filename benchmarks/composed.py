"""python -m benchmarks.composed --data DATA [--json FILE]: sentences alone, beside photographs, and drawn upon them.

Validation sentences (clean rows of `hate_text` and our counterfactuals of held-out templates) beside validation
photographs of Flickr8k that have nothing to do with them, through the shipped analyzer: `alone` has words only, `beside`
the photograph too, `drawn` the photograph with the words on it, read by the app's own OCR. Keys: `<case>_auroc`, its
95% interval, and the share of kind and neutral counterfactuals that are shown as hateful.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from models.analysis import Meme
from models.analyzer import Analyzer
from models.io import captions
from training.datasets.base import data_folder
from training.datasets.counterfactuals import sentences
from training.hate.report import KINDLY
from training.metrics import classification

FONT = ROOT / "assets" / "fonts" / "DejaVuSans-Bold.ttf"
LONGEST = 140  # characters; longer sentences would be too small to draw on a photograph


def rows(folder: Path, count: int, seed: int) -> pd.DataFrame:
    """`count` sentences of each source: text, label, form ("" for those of hate_text)."""
    frame = pd.read_parquet(folder / "hate_text.validation.parquet")
    clean = frame[~frame.raw_label.isin(["offensive", "offensive_language"]) & (frame.text.str.len() <= LONGEST)]
    ours = pd.DataFrame([(s.text, s.label, s.form) for s in sentences("validation")], columns=["text", "label", "form"])
    parts = [
        clean.sample(count, random_state=seed)[["text", "label"]].assign(form=""),
        ours.sample(count, random_state=seed),
    ]
    return pd.concat(parts, ignore_index=True)


def draw(photograph: Image.Image, text: str) -> Image.Image:
    """The words in white with a black edge on the lower part of the photograph, which is doubled in size first."""
    meme = photograph.resize((photograph.width * 2, photograph.height * 2), Image.Resampling.BICUBIC)
    pen, font = ImageDraw.Draw(meme), ImageFont.truetype(str(FONT), 24)
    lines, line = [], ""
    for word in text.split():
        if line and pen.textlength(f"{line} {word}", font=font) > meme.width - 24:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    shown = "\n".join([*lines, line])
    height = pen.multiline_textbbox((0, 0), shown, font=font, stroke_width=2)[3]
    pen.multiline_text(
        (12, meme.height - height - 16), shown, font=font, fill="white", stroke_width=2, stroke_fill="black"
    )
    return meme


def measure(folder: Path, *, count: int, seed: int = 7) -> dict[str, float]:
    """All figures, flat."""
    analyzer, rng = Analyzer(), random.Random(seed)
    frame = rows(folder, count, seed)
    data = list(pd.read_parquet(folder / "flickr8k.validation.parquet").image)
    photographs = [Image.open(io.BytesIO(rng.choice(data))).convert("RGB") for _ in range(len(frame))]
    given = [captions.from_override(text) for text in frame.text]
    drawn = [draw(photograph, text) for photograph, text in zip(photographs, frame.text, strict=True)]
    cases = {
        "alone": [Meme(None, caption) for caption in given],
        "beside": [Meme(photograph, caption) for photograph, caption in zip(photographs, given, strict=True)],
        "drawn": [Meme(meme, captions.read(meme, None, analyzer.reader)) for meme in drawn],
    }
    found: dict[str, float] = {"rows": len(frame)}
    for case, memes in cases.items():
        verdicts = analyzer.score(memes)
        chances, shown = [v.probability for v in verdicts], pd.Series([v.label for v in verdicts])
        figures = classification.binary(frame.label.tolist(), chances, threshold=analyzer.threshold("hate"))
        found |= {f"{case}_{key}": value for key, value in figures.items() if key.startswith(("auroc", "macro_f1"))}
        found[f"{case}_kindly_shown_hateful"] = float((shown[frame.form.isin(KINDLY)] == "hateful").mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="the folder of the data sets (default: SUBTEXT_DATA, else data/)")
    parser.add_argument("--count", type=int, default=150, help="sentences of each of the two sources")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = measure(data_folder(args.data), count=args.count)
    print(json.dumps(found, indent=2))
    if args.json:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
