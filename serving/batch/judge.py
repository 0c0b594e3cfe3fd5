"""Items to rows: batches of memes through the models; a meme that cannot be used is a row with its error. Shards run in
this process, in several that have an analyzer each, or on a Ray cluster in actors that have one each.

Only a shard's address is sent; its worker reads the pictures and writes the shard's file. The shard of a killed worker is
given to another one, and writing a shard again leaves the same file, so that every input is in the output exactly once.
Ray comes with requirements-ray.txt, not with the app.
"""

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from models.analysis import Meme
from models.analyzer import Analyzer
from models.errors import BadInput, BadWeights, PartUnavailable
from models.io import flat_row
from models.io.flat_row import Row
from models.io.images import IN_FLIGHT
from models.lenses import names_of
from models.runtime.memory import give_back_memory
from models.runtime.turns import BATCH_S, patient
from serving import predictors, problems
from serving.batch.inputs import Item, Shard
from serving.batch.output import Output
from serving.work import answer_each, in_parts, load_analyzer, load_meme, pixels_of, try_call

BATCH_SIZE = 32
DECODE_THREADS = 2  # decode pictures while the networks run
MAX_TRIES = 3  # times that the shards of lost workers are started
ROOT = Path(__file__).resolve().parents[2]
# Not copied to Ray's workers that do not share a disk or an image with this folder.
EXCLUDED = [".git", "data", "docs", "tests", "training", "benchmarks", "assets", "pages", "*.parquet", "node_modules"]


@dataclass(frozen=True)
class Options:
    """ocr: read pictures that come without a caption; predictors: names of further categories, a column each."""

    ocr: bool = True
    predictors: tuple[str, ...] = ()


def judge(items: Iterable[Item], analyzer: Analyzer, options: Options) -> Iterator[tuple[Row, Meme | None]]:
    """One row for each item, in order, and its meme. Raises `NoSystem` for an unknown predictor."""
    chosen = [predictors.choose(predictors.registry(analyzer), name) for name in options.predictors]
    lenses = [p.name for p in chosen if p.name in predictors.LENSES]

    def load(item: Item) -> Meme:
        if item.error:
            raise BadInput(item.error)
        with patient(BATCH_S):
            return load_meme(item.meme if options.ocr else replace(item.meme, ocr=False), analyzer)[0]

    def rows(memes: Sequence[Meme]) -> list[Row]:
        judged = analyzer.judge(memes)
        columns = {p.name: [each.category for each in p.predict(memes)] for p in chosen if p.name not in lenses}
        if lenses:  # all of them from one reading, with the verdicts that are there
            texts, verdicts = [meme.caption.text for meme in memes], [verdict.label for verdict, _ in judged]
            read = analyzer.read_words(texts, lenses, verdicts)
            columns |= {name: [names_of(each[name]) for each in read] for name in lenses}
        return [
            flat_row.good("", meme, verdict, harm, {p.name: columns[p.name][index] for p in chosen})
            for index, (meme, (verdict, harm)) in enumerate(zip(memes, judged, strict=True))
        ]

    with ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="subtext-open") as pool:
        for batch, pixels in in_parts(items, lambda item: pixels_of(item.meme), BATCH_SIZE):
            with patient(BATCH_S), IN_FLIGHT.take(pixels):
                memes = list(pool.map(lambda item: try_call(load, item), batch))
                answers = answer_each(memes, rows)
            for item, meme, row in zip(batch, memes, answers, strict=True):
                usable = meme if isinstance(meme, Meme) else None
                if isinstance(row, Exception):
                    yield Row(item.name, "error", error=problems.sentence(row)), usable
                else:
                    yield replace(row, id=item.name), usable
            give_back_memory()


@dataclass(frozen=True)
class Done:
    """A written shard: its number, the number of its memes, and how many of them have an error."""

    number: int
    memes: int
    errors: int


@dataclass(frozen=True)
class Work:
    """What a worker does with a shard: judge its memes and write the rows.

    models: the identities of the command's models, which the worker's must be, wherever it runs.
    """

    output: Output
    options: Options
    profile: str = "auto"
    threads: int = 0
    models: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, shard: Shard) -> Done:
        """Judge a shard and write it. A second call leaves the same file. Raises `BadWeights` if this worker has other models."""
        analyzer = load_analyzer(self.profile, self.threads)
        loaded = analyzer.info.weights
        if differing := sorted(name for name in self.models.keys() & loaded if self.models[name] != loaded[name]):
            raise BadWeights(
                f"A worker has other models than the command ({', '.join(differing)}): give all machines the same weights/."
            )
        rows = [row for row, _ in judge(shard.items(), analyzer, self.options)]
        self.output.write(shard.number, rows)
        return Done(shard.number, len(rows), sum(row.status == "error" for row in rows))


def run(shards: Sequence[Shard], work: Work, *, workers: int = 1) -> Iterator[Done]:
    """Every shard once on this machine, in the order in which they finish.

    If a worker dies (killed, out of memory), the unfinished shards are started again with new workers. Raises
    `PartUnavailable` after `MAX_TRIES` times.
    """
    if workers <= 1:
        yield from map(work, shards)
        return
    remaining = {shard.number: shard for shard in shards}
    for _ in range(MAX_TRIES):
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
                for future in as_completed([pool.submit(work, shard) for shard in remaining.values()]):
                    done = future.result()
                    del remaining[done.number]
                    yield done
            return
        except BrokenProcessPool:
            continue
    raise PartUnavailable(
        f"A worker ended {MAX_TRIES} times before its shard was done, most likely for want of memory: "
        "run the same command with fewer --workers, and it goes on where it stopped."
    )


class Judge:
    """An actor of Ray. Its analyzer is loaded with the first shard."""

    def __init__(self, work: Work) -> None:
        self.work = work

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Judge the shards of a batch (one, pickled); columns with the fields of `Done`."""
        done = [asdict(self.work(pickle.loads(shard))) for shard in batch["shard"]]
        return {name: [fields[name] for fields in done] for name in ("number", "memes", "errors")}


def run_on_ray(
    shards: Sequence[Shard], work: Work, *, address: str, actors: int, cpus: float = 1, gpus: float = 0
) -> Iterator[Done]:
    """Every shard once on a Ray cluster, in the order in which they finish: Ray Data's `map_batches` over a pool of actors.

    Raises `BadInput` if the cluster is missing or too small, and `PartUnavailable` if Ray is not installed. One core stays
    free for Ray Data's reader: if the actors take all of them, it never gets its turn.
    """
    try:
        import ray
    except ImportError as error:
        raise PartUnavailable("Ray is not installed: run pip install -r requirements-ray.txt.") from error
    # a cluster of one machine, or one that shares this folder, runs the code where it lies
    is_local = address in ("local", "auto") or address.startswith(("127.0.0.1", "localhost"))
    environment = None if is_local else {"working_dir": str(ROOT), "excludes": EXCLUDED}
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, runtime_env=environment)
    except (ConnectionError, ValueError) as error:
        raise BadInput(f"There is no Ray cluster at {address}: start one with `ray start --head`.") from error
    cores = ray.cluster_resources().get("CPU", 0)
    if actors * cpus > cores - 1:
        raise BadInput(
            f"The cluster has {cores:g} cores, and {actors} actors with {cpus:g} each would leave none for the reader: "
            f"ask for at most {max(0, int((cores - 1) // cpus))} with --workers."
        )
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.from_items([{"shard": pickle.dumps(shard)} for shard in shards], override_num_blocks=len(shards))
    finished = dataset.map_batches(
        Judge,
        fn_constructor_args=(work,),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
        num_cpus=cpus,
        num_gpus=gpus or None,
    )
    for row in finished.iter_rows():
        yield Done(int(row["number"]), int(row["memes"]), int(row["errors"]))
