"""Memes a second on this machine, without and with the OCR, through `Analyzer.score` and through the whole batch.

    python -m benchmarks.throughput [--memes N] [--workers 1,2] [--ray] [--json FILE]

`score_per_s`: memes (picture and caption) that are open already, through `Analyzer.score` in one process; `score_cpu_ms`
is the processor's time for one of them, which other programs on the machine hardly change, `open_cpu_ms` and `ocr_cpu_ms`
that of opening a file and of reading its words. The others time the whole command, from its start (with the loading of the
models) and files on the disk to Parquet files: `batch_1_per_s` and `batch_2_per_s` with that many workers, `ocr_1_per_s`
with the words read off the picture, `ray_1_per_s` and `ray_2_per_s` on a local Ray with that many actors.

The memes are drawn here: the gallery's photographs with sentences of 4 to 30 words, 500 pixels wide.
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from benchmarks.common import FONT, GALLERY, ROOT, milliseconds, options, report
from models.analysis import Caption, Meme
from models.analyzer import Analyzer
from models.io.images import open_picture
from models.ocr.rapid import RapidReader

TEXT = (
    "when you think that the weekend is near but it is only tuesday and nobody told the coffee machine about it so we "
    "all stand there and wait like cats before a closed door while the printer sings the song of its people again"
)
ROUNDS = 3
OCR_MEMES = 64


def main() -> None:
    """Measure and report."""
    parser = options(__doc__)
    parser.add_argument("--memes", type=int, default=256)
    parser.add_argument("--workers", default="1,2", help="numbers of workers for the batch (default 1,2; empty: none)")
    parser.add_argument("--ray", action="store_true", help="also on a local Ray (requirements-ray.txt)")
    parser.add_argument("--no-ocr", action="store_true", help="leave out the slow one")
    args = parser.parse_args()
    workers = [int(count) for count in args.workers.split(",") if count]
    with tempfile.TemporaryDirectory(prefix="subtext-throughput-") as folder:
        report(measure(Path(folder), args.memes, workers, ray=args.ray, ocr=not args.no_ocr), args.json)


def measure(folder: Path, count: int, workers: list[int], *, ray: bool, ocr: bool) -> dict[str, float]:
    """All figures."""
    captions = draw(folder / "memes", count)
    metrics = score(folder / "memes", captions) | {"memes": float(count)} | opening(folder / "memes")
    table = folder / "memes" / "captions.csv"
    for number in workers:
        metrics[f"batch_{number}_per_s"] = batch(table, folder / f"batch-{number}", count, "--workers", str(number))
    if ocr:
        without_captions = folder / "without_captions.csv"
        ocr_count = min(count, OCR_MEMES)
        files = "\n".join(f"memes/{number:05}.jpg" for number in range(ocr_count))
        without_captions.write_text(f"image\n{files}", encoding="utf-8")
        metrics["ocr_1_per_s"] = batch(without_captions, folder / "ocr", ocr_count)
    if ray:
        for number in workers:
            metrics[f"ray_{number}_per_s"] = on_ray(table, folder / f"ray-{number}", count, number)
    return metrics


def draw(folder: Path, count: int) -> list[str]:
    """`count` memes and their table; returns the captions."""
    generator = random.Random(1)
    folder.mkdir(parents=True)
    font = ImageFont.truetype(str(FONT), 22)
    photographs = [Image.open(path).convert("RGB") for path in sorted((GALLERY / "sources").glob("*.webp"))]
    captions = {}
    for number in range(count):
        start, length = generator.randrange(10), generator.randint(4, 30)
        words = TEXT.split()[start : start + length]
        image = generator.choice(photographs).resize((500, generator.choice((360, 500, 640))))
        lines = [" ".join(words[first : first + 6]) for first in range(0, len(words), 6)]
        pen = ImageDraw.Draw(image)
        pen.multiline_text((12, 8), "\n".join(lines).upper(), "white", font, stroke_width=2, stroke_fill="black")
        image.save(folder / f"{number:05}.jpg", quality=85)
        captions[f"{number:05}.jpg"] = " ".join(words)
    pd.DataFrame(captions.items(), columns=["image", "caption"]).to_csv(folder / "captions.csv", index=False)
    return list(captions.values())


def score(folder: Path, captions: list[str]) -> dict[str, float]:
    """Memes a second through `Analyzer.score`, and milliseconds of the processor for each: the best of three rounds, since a
    busy moment is not the machine's speed."""
    analyzer = Analyzer()
    pictures = [open_picture(path.read_bytes()).image for path in sorted(folder.glob("*.jpg"))]
    memes = [Meme(image, Caption(words, "override")) for image, words in zip(pictures, captions, strict=True)]
    analyzer.score(memes[:32])
    wall_ms, cpu_ms = map(min, zip(*(milliseconds(lambda: analyzer.score(memes)) for _ in range(ROUNDS)), strict=True))
    return {"score_per_s": round(1000 * len(memes) / wall_ms, 1), "score_cpu_ms": round(cpu_ms / len(memes), 1)}


def opening(folder: Path) -> dict[str, float]:
    """Milliseconds of the processor for opening a file and for reading its words."""
    files = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))[:16]]
    reader = RapidReader()
    pictures = [open_picture(data).image for data in files]
    reader.read(pictures[0])  # loads the networks
    _, open_ms = milliseconds(lambda: [open_picture(data) for data in files])
    _, ocr_ms = milliseconds(lambda: [reader.read(picture) for picture in pictures])
    return {"open_cpu_ms": round(open_ms / len(files), 1), "ocr_cpu_ms": round(ocr_ms / len(files), 1)}


def batch(table: Path, out: Path, count: int, *options: str) -> float:
    """Memes a second of the whole command, its start and the loading of the models included."""
    command = [sys.executable, "-m", "serving.batch", str(table), str(out), "--shard", "32", *options]
    wall_ms, _ = milliseconds(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True))
    return round(1000 * count / wall_ms, 1)


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
