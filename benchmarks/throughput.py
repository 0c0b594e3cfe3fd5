"""Memes a second on this machine, without and with the OCR, through `Analyzer.score` and through the whole batch.

    python -m benchmarks.throughput [--memes N] [--workers 1,2] [--ray] [--json FILE]

`score_per_s`: memes (picture and caption) that are open already, through `Analyzer.score` in one process; `score_cpu_ms`
is the processor's time for one of them, which other programs on the machine hardly change, `open_cpu_ms` and `ocr_cpu_ms`
that of opening a file and of reading its words. The others time the whole
command, from its start (with the loading of the models) and files on the disk to Parquet files: `batch_1_per_s` and
`batch_2_per_s` with that many workers, `ocr_1_per_s` with the words read off the picture, `ray_1_per_s` and
`ray_2_per_s` on a local Ray with that many actors.

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
from models.io.images import open_picture
from models.ocr.rapid import RapidReader

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
    speed, cpu = score(folder / "memes", captions)
    figures = {"score_per_s": round(speed, 1), "score_cpu_ms": round(cpu, 1), "memes": float(count)}
    figures |= opening(folder / "memes")
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


def score(folder: Path, captions: list[str]) -> tuple[float, float]:
    """Memes a second through `Analyzer.score`, and milliseconds of the processor for each. The best of three rounds: a busy
    moment is not the machine's speed."""
    analyzer = Analyzer()
    pictures = [open_picture(path.read_bytes()).image for path in sorted(folder.glob("*.jpg"))]
    memes = [Meme(image, Caption(words, "override")) for image, words in zip(pictures, captions, strict=True)]
    analyzer.score(memes[:32])
    speed, cpu = 0.0, float("inf")
    for _ in range(ROUNDS):
        start, spent = time.perf_counter(), time.process_time()
        found = analyzer.score(memes)
        speed = max(speed, len(found) / (time.perf_counter() - start))
        cpu = min(cpu, (time.process_time() - spent) / len(found) * 1000)
    return speed, cpu


def opening(folder: Path) -> dict[str, float]:
    """Milliseconds of the processor for opening a file and for reading its words."""
    files = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:16]]
    reader = RapidReader()
    pictures = [open_picture(data).image for data in files]
    reader.read(pictures[0])  # loads the networks
    start = time.process_time()
    for data in files:
        open_picture(data)
    opened = time.process_time()
    for picture in pictures:
        reader.read(picture)
    read = time.process_time()
    each = 1000 / len(files)
    return {"open_cpu_ms": round((opened - start) * each, 1), "ocr_cpu_ms": round((read - opened) * each, 1)}


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
