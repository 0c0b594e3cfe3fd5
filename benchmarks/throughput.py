"""Memes a second on this machine, without and with the OCR, through `Analyzer.score` and through the whole batch.

    python -m benchmarks.throughput [--memes N] [--workers 1,2] [--ray] [--json FILE]

`score_per_s`: memes (picture and caption) that are open already, through `Analyzer.score` in one process. The others
begin with bytes on the disk and end with a Parquet file, models loaded before the clock starts counting or not as a
user's run has it (loading is in it): `batch_1_per_s` and `batch_2_per_s` with that many workers,
`ocr_1_per_s` with the words read off the picture. `ray_1_per_s` and `ray_2_per_s`: the same on a local Ray.

The memes are drawn here: the gallery's photographs with sentences of 4 to 30 words, 500 pixels wide.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image, ImageDraw, ImageFont

from models.analysis import Caption, Meme
from models.analyzer import Analyzer
from models.images import open_picture

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "assets" / "gallery" / "sources").glob("*.webp"))
FONT = ROOT / "assets" / "fonts" / "DejaVuSans-Bold.ttf"
TEXT = (
    "when you think that the weekend is near but it is only tuesday and nobody told the coffee machine about it so we "
    "all stand there and wait like cats before a closed door while the printer sings the song of its people again"
)
ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memes", type=int, default=256)
    parser.add_argument("--workers", default="1,2", help="numbers of workers for the batch (default 1,2; empty: none)")
    parser.add_argument("--ray", action="store_true", help="also on a local Ray (requirements-ray.txt)")
    parser.add_argument("--no-ocr", action="store_true", help="leave out the slow one")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as one flat object")
    args = parser.parse_args()
    workers = [int(one) for one in args.workers.split(",") if one]
    with tempfile.TemporaryDirectory(prefix="subtext-throughput-") as folder:
        figures = measure(Path(folder), args.memes, workers, ray=args.ray, ocr=not args.no_ocr)
    for name, value in figures.items():
        print(f"{name}: {value}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(folder: Path, count: int, workers: list[int], *, ray: bool, ocr: bool) -> dict[str, float]:
    """All figures, flat."""
    captions = draw(folder / "memes", count)
    figures = {"score_per_s": round(score(folder / "memes", captions), 1), "memes": float(count)}
    table = folder / "memes" / "captions.csv"
    for number in workers:
        figures[f"batch_{number}_per_s"] = batch(table, folder / f"batch-{number}", count, "--workers", str(number))
    if ocr:
        few = folder / "few.csv"
        fewer = min(count, 64)
        lines = table.read_text(encoding="utf-8").splitlines()[1 : fewer + 1]
        few.write_text("image\n" + "\n".join(f"memes/{line.partition(',')[0]}" for line in lines), encoding="utf-8")
        figures["ocr_1_per_s"] = batch(few, folder / "ocr", fewer)
    if ray:
        for number in workers:
            figures[f"ray_{number}_per_s"] = on_ray(table, folder / f"ray-{number}", count, number)
    return figures


def draw(folder: Path, count: int) -> list[str]:
    """`count` memes and their table; returns the captions."""
    chosen = random.Random(1)
    folder.mkdir(parents=True)
    font = ImageFont.truetype(str(FONT), 22)
    photographs = [Image.open(path).convert("RGB") for path in SOURCES]
    captions = []
    with (folder / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption"])
        for number in range(count):
            start, length = chosen.randrange(10), chosen.randint(4, 30)
            words = TEXT.split()[start : start + length]
            image = chosen.choice(photographs).resize((500, chosen.choice((360, 500, 640))))
            lines = [" ".join(words[at : at + 6]) for at in range(0, len(words), 6)]
            pen = ImageDraw.Draw(image)
            pen.multiline_text((12, 8), "\n".join(lines).upper(), "white", font, stroke_width=2, stroke_fill="black")
            image.save(folder / f"{number:05}.jpg", quality=85)
            captions.append(" ".join(words))
            table.writerow([f"{number:05}.jpg", captions[-1]])
    return captions


def score(folder: Path, captions: list[str]) -> float:
    """Memes a second through `Analyzer.score`, the best of three rounds: a busy moment is not the machine's speed."""
    analyzer = Analyzer()
    pictures = [open_picture(path.read_bytes()).image for path in sorted(folder.glob("*.jpg"))]
    memes = [Meme(image, Caption(words, "override")) for image, words in zip(pictures, captions, strict=True)]
    analyzer.score(memes[:32])
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        found = analyzer.score(memes)
        best = max(best, len(found) / (time.perf_counter() - start))
    return best


def batch(table: Path, out: Path, count: int, *more: str) -> float:
    """Memes a second of the whole command, its start and the loading of the models included."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "serving.batch", str(table), str(out), "--shard", "32", *more]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return round(count / (time.perf_counter() - start), 1)


def on_ray(table: Path, out: Path, count: int, actors: int) -> float:
    """The same on a local Ray with a core for each actor and one for the reader."""
    import ray

    ray.init(num_cpus=actors + 1, include_dashboard=False, log_to_driver=False, object_store_memory=200 * 1024**2)
    try:
        address = ray.get_runtime_context().gcs_address
        return batch(table, out, count, "--ray", address, "--workers", str(actors))
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
