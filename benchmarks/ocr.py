"""How well the words on memes are read: untouched RapidOCR beside `RapidReader`, on validation memes.

    python -m benchmarks.ocr [--limit N] [--json FILE]

Token F1 is over the bag of lower-case alphanumeric tokens against the data set's text, averaged over memes. The texts
of harmeme are themselves an OCR's (noise included), so 1.0 is not to be reached there. The rules of `models/ocr` were
chosen on training rows. Needs the data (`SUBTEXT_DATA`, else data/) and, for untouched RapidOCR, a working OpenCV.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.io import captions
from models.io.images import open_picture
from models.ocr.rapid import RapidReader
from training.metrics.intervals import metric_entry

SETS = ("harmeme", "religious_hateful")
RESAMPLES = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=200, help="memes in all, half of each set (default 200)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    arguments = parser.parse_args()

    readers = {"untouched": untouched_rapidocr(), "ours": ours()}
    figures: dict[str, float] = {}
    scores: dict[str, list[float]] = {name: [] for name in readers}
    times: dict[str, list[float]] = {name: [] for name in readers}
    cpu_times: dict[str, list[float]] = {name: [] for name in readers}  # of all threads: holds on a busy machine too
    for data_set in SETS:
        memes = validation_memes(data_set, arguments.limit // len(SETS))
        for name, read in readers.items():
            read(memes[0][0])  # loading the networks is not reading
            here = []
            for data, truth in memes:
                start, cpu_start = time.perf_counter(), time.process_time()
                text = read(data)
                times[name].append((time.perf_counter() - start) * 1000)
                cpu_times[name].append((time.process_time() - cpu_start) * 1000)
                here.append(token_f1(text, truth))
            scores[name] += here
            report(figures, f"{name}_{data_set}_token_f1", here)
    for name in readers:
        report(figures, f"{name}_token_f1", scores[name])
        figures[f"{name}_ms_mean"] = round(float(np.mean(times[name])), 1)
        figures[f"{name}_ms_median"] = round(float(np.median(times[name])), 1)
        figures[f"{name}_cpu_ms_mean"] = round(float(np.mean(cpu_times[name])), 1)
        print(f"{name}: {figures[f'{name}_ms_mean']:.0f} ms a meme, median {figures[f'{name}_ms_median']:.0f}")
    report(figures, "gain_token_f1", list(np.subtract(scores["ours"], scores["untouched"])))
    if arguments.json:
        arguments.json.write_text(json.dumps({"memes": len(scores["ours"]), **figures}, indent=1) + "\n")


def validation_memes(data_set: str, count: int) -> list[tuple[bytes, str]]:
    """The first `count` validation rows: the picture's bytes and its text."""
    folder = Path(os.environ.get("SUBTEXT_DATA", "data"))
    table = pq.read_table(folder / f"{data_set}.validation.parquet", columns=["image", "text"]).slice(0, count)
    return [(row["image"], row["text"]) for row in table.to_pylist()]


def untouched_rapidocr() -> Callable[[bytes], str]:
    """The package as it comes, lines joined in its order."""
    from rapidocr import RapidOCR

    engine: Any = RapidOCR(params={"Global.log_level": "critical"})

    def read(data: bytes) -> str:
        rgb = Image.open(io.BytesIO(data)).convert("RGB")
        return "\n".join(engine(np.asarray(rgb)[:, :, ::-1]).txts or ())

    return read


def ours() -> Callable[[bytes], str]:
    """As the app reads."""
    reader = RapidReader()
    return lambda data: captions.read(open_picture(data).image, None, reader).text


def token_f1(read: str, truth: str) -> float:
    """F1 of two bags of tokens; 1 where both are empty."""
    ours, theirs = (Counter(re.findall(r"[a-z0-9]+", text.lower())) for text in (read, truth))
    if not ours and not theirs:
        return 1.0
    return 2 * (ours & theirs).total() / (ours.total() + theirs.total())


def report(figures: dict[str, float], key: str, values: list[float]) -> None:
    """The mean over memes with its 95% bootstrap interval, printed and kept."""
    generator = np.random.default_rng(0)
    sample = np.array(values)
    means = sample[generator.integers(0, len(sample), (RESAMPLES, len(sample)))].mean(1)
    figures |= {name: round(value, 4) for name, value in metric_entry(key, sample.mean(), means).items()}
    low, high = figures[f"{key}_low"], figures[f"{key}_high"]
    print(f"{key}: {sample.mean():.3f} ({low:.3f} to {high:.3f}), {len(sample)} memes", flush=True)


if __name__ == "__main__":
    main()
