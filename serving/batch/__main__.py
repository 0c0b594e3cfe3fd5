"""python -m serving.batch IN OUT: any number of memes from a folder, a ZIP, a CSV or Parquet, a row each.

OUT is a folder (a Parquet file a shard) or one file that ends in .parquet, .csv or .jsonl. IN and OUT may be addresses
that fsspec knows (s3://, gs://). Run again after an interruption, the same command goes on where it stopped. A meme that
cannot be used is a row with its error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from models import weights
from models.errors import BadInput, SubtextError
from models.profiles import registry
from serving.batch import local, results
from serving.batch.items import Shard
from serving.batch.judge import Options
from serving.batch.output import Output
from serving.batch.plan import SHARD, Plan, plan

USER_ERROR, INTERRUPTED = 2, 130
EVERY = 2.0  # seconds between two lines of progress


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    whole = argparse.ArgumentParser(
        prog="python -m serving.batch", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    whole.add_argument(
        "input", metavar="IN", help="a folder or ZIP of pictures, a CSV or Parquet (a file or a folder of them)"
    )
    whole.add_argument("output", metavar="OUT", help="a folder, or a file ending in .parquet, .csv or .jsonl")
    whole.add_argument("--no-ocr", action="store_true", help="judge pictures that come without words by themselves")
    whole.add_argument(
        "--systems", default="", metavar="NAMES", help="further categories, commas between: a column each"
    )
    whole.add_argument("--profile", default="auto", help="which models answer (default: auto)")
    whole.add_argument("--workers", type=int, default=1, help="processes, or Ray's actors (default 1)")
    whole.add_argument("--shard", type=int, default=SHARD, help=f"memes in a shard (default {SHARD})")
    whole.add_argument("--ray", metavar="ADDRESS", help="run on this Ray cluster (auto: the one of this machine)")
    whole.add_argument("--cpus", type=float, default=1, help="cores for each of Ray's actors (default 1)")
    whole.add_argument("--gpus", type=float, default=0, help="GPUs for each of Ray's actors (default 0)")
    return whole


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    args = parser().parse_args(words)
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
    """Plan, judge what is not there yet, gather."""
    for name in ("workers", "shard", "cpus"):
        if getattr(args, name) <= 0:
            raise BadInput(f"--{name} {getattr(args, name)} must be more than 0.")
    registry.choose(args.profile)
    whole = plan(args.input, size=args.shard)
    systems = tuple(name.strip() for name in args.systems.split(",") if name.strip())
    options = Options(read=not args.no_ocr, systems=systems)
    format_ = next((one for one in results.FORMATS if args.output.lower().endswith(f".{one}")), None)
    output = Output(f"{args.output}.parts" if format_ else args.output, systems)
    output.begin(
        {
            "input": whole.digest,
            "memes": whole.memes,
            "options": f"ocr={options.read} systems={','.join(systems)} profile={args.profile}",
            "weights": weights.card("hate_cross_attention").identity,
        }
    )
    there = output.done()
    left = [shard for shard in whole.shards if shard.number not in there]
    if there:
        print(f"{len(there)} of {len(whole.shards)} shards are there already.", file=sys.stderr)
    errors = tell(
        started(left, args, local.Work(output, options, args.profile, local.share(args.workers))), whole, left
    )
    if format_:
        count = output.gather([shard.number for shard in whole.shards], {format_: args.output})
        output.remove()
        print(f"{count:,} rows in {args.output}")
    else:
        print(f"{whole.memes:,} rows in {args.output}, {len(whole.shards)} Parquet files")
    if errors:
        print(f"{errors:,} of those judged now have an error: see the column `error`.")


def started(left: Sequence[Shard], args: argparse.Namespace, work: local.Work) -> Iterator[local.Done]:
    """The shards that are left, on this machine or on Ray."""
    if not left:
        return iter(())
    if args.ray:
        from serving.batch import on_ray

        return on_ray.run(left, work, address=args.ray, actors=args.workers, cpus=args.cpus, gpus=args.gpus)
    return local.run(left, work, workers=args.workers)


def tell(finished: Iterator[local.Done], whole: Plan, left: Sequence[Shard]) -> int:
    """Progress on stderr; returns the number of memes with an error."""
    start, told = time.monotonic(), 0.0
    count, errors, total = 0, 0, sum(len(shard) for shard in left)
    for done in finished:
        count, errors = count + done.memes, errors + done.errors
        took = time.monotonic() - start
        if took - told >= EVERY or count == total:
            told, speed = took, count / max(took, 1e-9)
            rest = f", {(total - count) / speed / 60:.1f} minutes left" if count < total else ""
            seen = whole.memes - total + count
            print(f"{seen:,} of {whole.memes:,} memes, {errors:,} errors, {speed:.1f} a second{rest}", file=sys.stderr)
    return errors


if __name__ == "__main__":
    sys.exit(main())
