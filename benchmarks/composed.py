"""python -m benchmarks.composed --data DATA [--json FILE]: sentences alone, beside photographs, and drawn upon them.

Validation sentences (clean rows of `hate_text` and our counterfactuals of held-out templates) beside validation
photographs of Flickr8k that have nothing to do with them, through the shipped analyzer: `alone` has words only, `beside`
the photograph too, `drawn` the photograph with the words on it, read by the app's own OCR. Keys: `<case>_auroc` and
`<case>_macro_f1` with their 95% intervals, and the fraction of kind and neutral counterfactuals that are shown as hateful.
"""

import io
import random
import sys
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import FONT, options, report
from models.analysis import Meme
from models.analyzer import Analyzer
from models.io import captions
from training.datasets.base import data_folder
from training.datasets.counterfactuals import sentences
from training.hate.report import KINDLY
from training.metrics import classification

MAX_CHARACTERS = 140  # longer sentences would be too small to draw on a photograph


def main() -> None:
    """Measure and report."""
    parser = options(__doc__, data=True)
    parser.add_argument("--count", type=int, default=150, help="sentences of each of the two sources")
    args = parser.parse_args()
    report(measure(data_folder(args.data), count=args.count), args.json)


def measure(folder: Path, *, count: int, seed: int = 7) -> dict[str, float]:
    """All figures."""
    analyzer, generator = Analyzer(), random.Random(seed)
    rows = sample_sentences(folder, count, seed)
    pictures = list(pd.read_parquet(folder / "flickr8k.validation.parquet").image)
    photographs = [Image.open(io.BytesIO(generator.choice(pictures))).convert("RGB") for _ in range(len(rows))]
    texts = [captions.from_override(text) for text in rows.text]
    drawn = [draw(photograph, text) for photograph, text in zip(photographs, rows.text, strict=True)]
    cases = {
        "alone": [Meme(None, caption) for caption in texts],
        "beside": [Meme(photograph, caption) for photograph, caption in zip(photographs, texts, strict=True)],
        "drawn": [Meme(meme, captions.read(meme, None, analyzer.reader)) for meme in drawn],
    }
    metrics: dict[str, float] = {"rows": len(rows)}
    for case, memes in cases.items():
        verdicts = analyzer.score(memes)
        probs, labels = [v.probability for v in verdicts], pd.Series([v.label for v in verdicts])
        scores = classification.binary(rows.label.tolist(), probs, threshold=analyzer.threshold("hate"))
        metrics |= {f"{case}_{key}": value for key, value in scores.items() if key.startswith(("auroc", "macro_f1"))}
        metrics[f"{case}_kindly_shown_hateful"] = float((labels[rows.form.isin(KINDLY)] == "hateful").mean())
    return metrics


def sample_sentences(folder: Path, count: int, seed: int) -> pd.DataFrame:
    """`count` sentences of each source: text, label, form ("" for those of hate_text)."""
    rows = pd.read_parquet(folder / "hate_text.validation.parquet")
    clean = rows[~rows.raw_label.isin(["offensive", "offensive_language"]) & (rows.text.str.len() <= MAX_CHARACTERS)]
    ours = pd.DataFrame([(s.text, s.label, s.form) for s in sentences("validation")], columns=["text", "label", "form"])
    samples = (
        clean.sample(count, random_state=seed)[["text", "label"]].assign(form=""),
        ours.sample(count, random_state=seed),
    )
    return pd.concat(samples, ignore_index=True)


def draw(photograph: Image.Image, text: str) -> Image.Image:
    """The words in white with a black edge on the lower part of the photograph, which is doubled in size first."""
    meme = photograph.resize((photograph.width * 2, photograph.height * 2), Image.Resampling.BICUBIC)
    pen, font = ImageDraw.Draw(meme), ImageFont.truetype(str(FONT), 24)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.textlength(longer, font=font) > meme.width - 24:
            lines.append(word)
        else:
            lines[-1] = longer
    wrapped = "\n".join(lines)
    height = pen.multiline_textbbox((0, 0), wrapped, font=font, stroke_width=2)[3]
    corner = (12, meme.height - height - 16)
    pen.multiline_text(corner, wrapped, font=font, fill="white", stroke_width=2, stroke_fill="black")
    return meme


if __name__ == "__main__":
    main()
