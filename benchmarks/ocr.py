"""How well the words on memes are read: untouched RapidOCR beside `RapidReader`, on validation memes.

    python -m benchmarks.ocr [--limit N] [--json FILE]

Token F1 is over the bag of lower-case alphanumeric tokens against the data set's text, averaged over memes. The texts
of harmeme are themselves an OCR's (noise included), so 1.0 is not to be reached there. The rules of `models/ocr` were
chosen on training rows. Needs the data (`SUBTEXT_DATA`, else data/) and, for untouched RapidOCR, a working OpenCV.
"""

import io
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import milliseconds, options, report, validation_rows
from models.io import captions
from models.io.images import open_picture
from models.ocr.rapid import RapidReader
from training.metrics.intervals import metric_entry

DATASETS = ("harmeme", "religious_hateful")
RESAMPLES = 2000
Read = Callable[[bytes], str]


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--limit", type=int, default=200, help="memes in all, half of each set (default 200)")
    args = parser.parse_args()
    report(measure({"untouched": untouched_rapidocr(), "ours": rapid_reader()}, args.limit), args.json)


def measure(readers: dict[str, Read], limit: int) -> dict[str, float]:
    """Token F1 of each reader and its milliseconds for a meme, of which the processor's time holds on a busy machine too."""
    metrics: dict[str, float] = {}
    scores: dict[str, list[float]] = {name: [] for name in readers}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for dataset in DATASETS:
        memes = validation_rows(dataset, ["image", "text"], limit // len(DATASETS))
        for name, read in readers.items():
            read(memes[0]["image"])  # loads the networks
            texts: list[str] = []
            times[name] += [milliseconds(lambda: texts.append(read(meme["image"]))) for meme in memes]  # noqa: B023
            f1 = [token_f1(text, meme["text"]) for text, meme in zip(texts, memes, strict=True)]
            scores[name] += f1
            metrics |= mean_entry(f"{name}_{dataset}_token_f1", f1)
    for name in readers:
        wall_ms, cpu_ms = zip(*times[name], strict=True)
        metrics |= mean_entry(f"{name}_token_f1", scores[name])
        metrics[f"{name}_ms_mean"] = round(statistics.mean(wall_ms), 1)
        metrics[f"{name}_ms_median"] = round(statistics.median(wall_ms), 1)
        metrics[f"{name}_cpu_ms_mean"] = round(statistics.mean(cpu_ms), 1)
    metrics |= mean_entry("gain_token_f1", list(np.subtract(scores["ours"], scores["untouched"])))
    return {"memes": len(scores["ours"]), **metrics}


def untouched_rapidocr() -> Read:
    """The package as it comes, lines joined in its order."""
    from rapidocr import RapidOCR

    engine: Any = RapidOCR(params={"Global.log_level": "critical"})

    def read(data: bytes) -> str:
        rgb = Image.open(io.BytesIO(data)).convert("RGB")
        return "\n".join(engine(np.asarray(rgb)[:, :, ::-1]).txts or ())

    return read


def rapid_reader() -> Read:
    """The reader of the app."""
    reader = RapidReader()
    return lambda data: captions.read(open_picture(data).image, None, reader).text


def token_f1(predicted: str, expected: str) -> float:
    """F1 of two bags of tokens; 1 if both are empty."""
    first, second = (Counter(re.findall(r"[a-z0-9]+", text.lower())) for text in (predicted, expected))
    if not first and not second:
        return 1.0
    return 2 * (first & second).total() / (first.total() + second.total())


def mean_entry(key: str, values: list[float]) -> dict[str, float]:
    """The mean over memes with its 95% bootstrap interval."""
    sample = np.array(values)
    means = sample[np.random.default_rng(0).integers(0, len(sample), (RESAMPLES, len(sample)))].mean(1)
    return {name: round(value, 4) for name, value in metric_entry(key, sample.mean(), means).items()}


if __name__ == "__main__":
    main()
