"""python -m serving.batch IN OUT: any number of memes from a folder, a ZIP, a CSV or Parquet, a row each.

OUT is a folder (a Parquet file for each shard) or one file that ends in .parquet, .csv or .jsonl. IN and OUT may be
addresses that fsspec knows (s3://, gs://). After an interruption, the same command continues where it stopped. A meme that
cannot be used is a row with its error.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence

from models.errors import BadInput, SubtextError
from models.profiles import registry
from serving.batch import judge
from serving.batch.fingerprint import content_digest, digest, models_digest
from serving.batch.inputs import SHARD_SIZE, plan
from serving.batch.judge import Done, Options, Work
from serving.batch.output import FORMATS, Output

USER_ERROR, INTERRUPTED = 2, 130
PROGRESS_S = 2.0  # seconds between two lines of progress


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "input", metavar="IN", help="a folder or ZIP of pictures, a CSV or Parquet (a file or a folder of them)"
    )
    parser.add_argument("output", metavar="OUT", help="a folder, or a file ending in .parquet, .csv or .jsonl")
    parser.add_argument("--no-ocr", action="store_true", help="judge pictures that come without words by themselves")
    parser.add_argument(
        "--systems", default="", metavar="NAMES", help="further categories, commas between: a column each"
    )
    parser.add_argument("--profile", default="auto", help="which models answer (default: auto)")
    parser.add_argument("--workers", type=int, default=1, help="processes, or Ray's actors (default 1)")
    parser.add_argument("--shard", type=int, default=SHARD_SIZE, help=f"memes in a shard (default {SHARD_SIZE})")
    parser.add_argument("--ray", metavar="ADDRESS", help="run on this Ray cluster (auto: the one of this machine)")
    parser.add_argument("--cpus", type=float, default=1, help="cores for each of Ray's actors (default 1)")
    parser.add_argument("--gpus", type=float, default=0, help="GPUs for each of Ray's actors (default 0)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    args = parser().parse_args(argv)
    try:
        run(args)
    except SubtextError as error:
        print(error, file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print("Stopped: the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def run(args: argparse.Namespace) -> None:
    """Plan the shards, judge those that are not written yet, gather them. Raises `SubtextError`."""
    for name in ("workers", "shard", "cpus"):
        if getattr(args, name) <= 0:
            raise BadInput(f"--{name} {getattr(args, name)} must be more than 0.")
    profile = registry.select(args.profile).profile
    shards = plan(args.input, size=args.shard)
    memes = sum(map(len, shards))
    predictors = tuple(name.strip() for name in args.systems.split(",") if name.strip())
    options = Options(ocr=not args.no_ocr, predictors=predictors)
    format_ = next((name for name in FORMATS if args.output.lower().endswith(f".{name}")), None)
    output = Output(f"{args.output}.parts" if format_ else args.output, predictors)
    models = models_digest(profile, options)
    output.begin(
        {
            "input": digest(shards),
            "memes": memes,
            "content": content_digest(shards),
            "options": f"ocr={options.ocr} systems={','.join(predictors)} profile={profile.name}",
            "models": models,
        }
    )
    written = output.done()
    remaining = [shard for shard in shards if shard.number not in written]
    if written:
        print(f"{len(written)} of {len(shards)} shards are there already.", file=sys.stderr)
    threads = max(1, (os.cpu_count() or 1) // args.workers)  # together the workers use each core once
    work = Work(output, options, profile.name, threads, models)  # by name: `auto` could choose another one meanwhile
    finished: Iterator[Done] = iter(())
    if remaining and args.ray:
        finished = judge.run_on_ray(
            remaining, work, address=args.ray, actors=args.workers, cpus=args.cpus, gpus=args.gpus
        )
    elif remaining:
        finished = judge.run(remaining, work, workers=args.workers)
    errors = report_progress(finished, memes, sum(map(len, remaining)))
    if format_:
        count = output.gather([shard.number for shard in shards], args.output, format_)
        output.remove()
        print(f"{count:,} rows in {args.output}")
    else:
        print(f"{memes:,} rows in {args.output}, {len(shards)} Parquet files")
    if errors:
        print(f"{errors:,} of those judged now have an error: see the column `error`.")


def report_progress(finished: Iterator[Done], memes: int, remaining: int) -> int:
    """Prints the progress of the `remaining` of all memes on stderr; returns the number of memes with an error."""
    start, printed_at = time.monotonic(), 0.0
    count = errors = 0
    for done in finished:
        count, errors = count + done.memes, errors + done.errors
        seconds = time.monotonic() - start
        if seconds - printed_at >= PROGRESS_S or count == remaining:
            printed_at, speed = seconds, count / max(seconds, 1e-9)
            left = f", {(remaining - count) / speed / 60:.1f} minutes left" if count < remaining else ""
            total = memes - remaining + count
            print(f"{total:,} of {memes:,} memes, {errors:,} errors, {speed:.1f} a second{left}", file=sys.stderr)
    return errors


if __name__ == "__main__":
    sys.exit(main())
